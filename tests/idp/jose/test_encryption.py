"""Encryption for relying parties: two other libraries open what we close; what does not fit is refused."""

import base64
import json

import jose.jwe
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from joserfc import jwe
from joserfc.jwk import ECKey, OKPKey, RSAKey

from idp.errors import JoseRefused
from idp.jose.algorithms import Encryption
from idp.jose.compact import sign_compact, verify_compact
from idp.jose.encryption import encrypt_for
from idp.protocol import CONTENT_ENCRYPTIONS, ENCRYPTION_ALGORITHMS

EC = ECKey.generate_key("P-256", {"kid": "ec", "use": "enc"})
OKP = OKPKey.generate_key("X25519", {"kid": "okp", "use": "enc"})
RSA = RSAKey.generate_key(2048, {"kid": "rsa", "use": "enc"})
COMBINATIONS = [
    (key, alg, enc)
    for alg in ENCRYPTION_ALGORITHMS
    for key in ((RSA,) if alg == "RSA-OAEP-256" else (EC, OKP))
    for enc in CONTENT_ENCRYPTIONS
]


def public(key):
    return type(key).import_key(key.as_dict(private=False))


def unsegment(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@pytest.mark.parametrize(("key", "alg", "enc"), COMBINATIONS, ids=lambda value: getattr(value, "kid", value))
def test_joserfc_opens_what_we_close(key, alg: str, enc: str) -> None:
    token = encrypt_for([public(key)], Encryption(alg, enc), "秘密", cty="JWT", typ="JWT")
    opened = jwe.decrypt_compact(token, key, algorithms=[alg, enc])
    assert opened.plaintext.decode() == "秘密"
    header = opened.headers()
    assert (header["alg"], header["enc"], header["kid"], header["cty"]) == (alg, enc, key.kid, "JWT")


@pytest.mark.parametrize("enc", CONTENT_ENCRYPTIONS)
def test_python_jose_opens_what_we_close_to_an_rsa_key(enc: str) -> None:
    token = encrypt_for([public(RSA)], Encryption("RSA-OAEP-256", enc), b"secret", cty=None, typ=None)
    assert jose.jwe.decrypt(token, RSA.as_pem(private=True).decode()) == b"secret"


def test_ecdh_es_opens_by_hand() -> None:
    """RFC 7518 cl. 4.6.2, with the cryptography library's own parts."""
    token = encrypt_for([public(EC)], Encryption("ECDH-ES", "A256GCM"), b"secret", cty=None, typ=None)
    header, wrapped, iv, ciphertext, tag = token.split(".")
    assert wrapped == ""
    ephemeral = ECKey.import_key(json.loads(unsegment(header))["epk"])
    shared = EC.private_key.exchange(ec.ECDH(), ephemeral.public_key)
    algorithm_id = len(b"A256GCM").to_bytes(4, "big") + b"A256GCM"
    info = algorithm_id + bytes(4) + bytes(4) + (256).to_bytes(4, "big")
    content_key = ConcatKDFHash(SHA256(), length=32, otherinfo=info).derive(shared)
    opened = AESGCM(content_key).decrypt(unsegment(iv), unsegment(ciphertext) + unsegment(tag), header.encode())
    assert opened == b"secret"


def test_signed_then_encrypted() -> None:
    signer = ECKey.generate_key("P-256", {"kid": "op"})
    inner = sign_compact(signer, "ES256", "JWT", {"sub": "s"})
    token = encrypt_for([public(EC)], Encryption("ECDH-ES", "A256GCM"), inner, cty="JWT", typ="JWT")
    opened = jwe.decrypt_compact(token, EC, algorithms=["ECDH-ES", "A256GCM"]).plaintext.decode()
    assert verify_compact(opened, [public(signer)], ["ES256"], types={"JWT"}).claims == {"sub": "s"}


def test_key_is_chosen_by_use_type_and_algorithm() -> None:
    signing = ECKey.generate_key("P-256", {"kid": "sig", "use": "sig"})
    unnamed = ECKey.generate_key("P-256", {"kid": "any"})
    other = ECKey.generate_key("P-256", {"kid": "kw", "use": "enc", "alg": "ECDH-ES+A128KW"})
    token = encrypt_for(
        [public(key) for key in (signing, unnamed, RSA, other, EC)],
        Encryption("ECDH-ES", "A128GCM"), b"x", cty=None, typ=None,
    )  # fmt: skip
    assert jwe.decrypt_compact(token, EC, algorithms=["ECDH-ES", "A128GCM"]).headers()["kid"] == "ec"
    for keys in ([], [signing], [unnamed], [RSA], [other]):
        with pytest.raises(JoseRefused):
            encrypt_for([public(key) for key in keys], Encryption("ECDH-ES", "A128GCM"), b"x", cty=None, typ=None)


@pytest.mark.parametrize(
    ("alg", "enc"),
    [("RSA1_5", "A128GCM"), ("RSA-OAEP", "A128GCM"), ("dir", "A128GCM"), ("RSA-OAEP-256", "A192GCM"), ("RSA-OAEP-256", "none"), ("", "")],
)  # fmt: skip
def test_algorithms_that_do_not_exist_here(alg: str, enc: str) -> None:
    with pytest.raises(JoseRefused):
        encrypt_for([public(RSA)], Encryption(alg, enc), b"x", cty=None, typ=None)
