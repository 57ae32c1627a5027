"""The bytes of the iAM Smart wire: signed headers, content envelopes, wrapped content keys. Pure.

Owns:    building and reading them. Leaves sending to `client`, remembering keys to `cek`, meaning to the callers.
Rules:   1 the signature is over the exact body bytes that are sent
         2 nothing is taken from an envelope before its tag verifies; a length that is not the agreed one is refused
         3 a wrapped key that does not unwrap becomes a random key, so that a sender learns the same from every failure
           (RFC 3218 cl. 2.3.2: no oracle for PKCS #1 v1.5)
         4 text goes into the HMAC and out of envelopes as UTF-8; a repeated JSON member is refused
Spec:    fact sheet upstreams.md §1.1.
"""

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from idp.connectors.iam_smart.codes import is_return_code
from idp.connectors.iam_smart.config import KekPadding
from idp.connectors.iam_smart.errors import EnvelopeMalformed

SIGNATURE_METHOD = "HmacSHA256"
IV_BYTES = 12
TAG_BYTES = 16
LENGTH_BYTES = 4
CEK_BYTES = 32
CEK_BASE64_CHARS = 44
MIN_KEK_BITS = 2048
MAX_TX_ID_CHARS = 128
MAX_MESSAGE_CHARS = 1_000

_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")


@dataclass(frozen=True, slots=True)
class Envelope:
    """A reply or a callback as it came: read, not opened."""

    tx_id: str
    code: str
    content: object
    """Base64 text when encrypted, an object for getKey, None when there is none."""
    secret_key: str | None
    """The wrapped content key of a callback."""


def sign_headers(
    client_id: str, client_secret: str, *, timestamp_ms: int, nonce: str, body: bytes
) -> Mapping[str, str]:
    """Return the five headers of a call with this body."""
    message = f"{client_id}{SIGNATURE_METHOD}{timestamp_ms}{nonce}".encode() + body
    mac = hmac.digest(client_secret.encode(), message, hashlib.sha256)
    return {
        "clientID": client_id,
        "signatureMethod": SIGNATURE_METHOD,
        "signature": quote(base64.b64encode(mac).decode(), safe=""),
        "timestamp": str(timestamp_ms),
        "nonce": nonce,
    }


def seal_body(key: bytes, content: Mapping[str, object], *, iv: bytes) -> bytes:
    """Return the body of an encrypted call: `{"content":"…"}`; `iv` must be fresh and random."""
    plaintext = json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode()
    sealed = len(iv).to_bytes(LENGTH_BYTES, "big") + iv + AESGCM(key).encrypt(iv, plaintext, None)
    return json.dumps({"content": base64.b64encode(sealed).decode()}, separators=(",", ":")).encode()


def open_content(key: bytes, content: object) -> Mapping[str, object]:
    """Decrypt an envelope's content and read the JSON object in it.

    Raises:
        EnvelopeMalformed: not an envelope under this key, or not a UTF-8 JSON object.
    """
    if not isinstance(content, str):
        raise EnvelopeMalformed
    raw = _decode_base64(content)
    if len(raw) < LENGTH_BYTES + IV_BYTES + TAG_BYTES or int.from_bytes(raw[:LENGTH_BYTES], "big") != IV_BYTES:
        raise EnvelopeMalformed
    iv, sealed = raw[LENGTH_BYTES : LENGTH_BYTES + IV_BYTES], raw[LENGTH_BYTES + IV_BYTES :]
    try:
        plaintext = AESGCM(key).decrypt(iv, sealed, None)
    except InvalidTag as error:
        raise EnvelopeMalformed from error
    return _parse_object(plaintext)


def parse_envelope(data: bytes) -> Envelope:
    """Read a reply or a callback; nothing in it is verified yet.

    Raises:
        EnvelopeMalformed: not a JSON object with txID, code and message (CorpID: msg).
    """
    members = _parse_object(data)
    tx_id, code = members.get("txID"), members.get("code")
    message = members.get("message", members.get("msg"))
    secret_key = members.get("secretKey")
    if not isinstance(tx_id, str) or len(tx_id) > MAX_TX_ID_CHARS:
        raise EnvelopeMalformed
    if not isinstance(code, str) or not is_return_code(code):
        raise EnvelopeMalformed
    if not isinstance(message, str) or len(message) > MAX_MESSAGE_CHARS:
        raise EnvelopeMalformed
    if secret_key is not None and not isinstance(secret_key, str):
        raise EnvelopeMalformed
    return Envelope(tx_id, code, members.get("content"), secret_key)


def load_kek(pem: str) -> rsa.RSAPrivateKey:
    """Read our key-encryption key.

    Raises:
        ValueError: not an RSA key of at least 2048 bits.
    """
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError) as error:
        raise ValueError("iAM Smart: a key-encryption key cannot be read") from error
    if not isinstance(key, rsa.RSAPrivateKey) or key.key_size < MIN_KEK_BITS:
        raise ValueError("iAM Smart: a key-encryption key must be RSA with at least 2048 bits")
    return key


def unwrap_key(kek: rsa.RSAPrivateKey, secret_key: str, how: KekPadding, *, decoy: bytes) -> bytes:
    """Unwrap a content key of 32 bytes, sent raw or as 44 characters of Base64.

    Args:
        kek: our private key.
        secret_key: Base64 of the RSA ciphertext.
        how: the padding agreed.
        decoy: 32 fresh random bytes, returned when nothing usable unwraps (rule 3): the envelope's tag then decides.

    Raises:
        EnvelopeMalformed: not Base64 of a ciphertext of the key's size, which says nothing about its inside.
    """
    ciphertext = _decode_base64(secret_key)
    if len(ciphertext) != kek.key_size // 8:
        raise EnvelopeMalformed
    try:
        plain = kek.decrypt(ciphertext, _padding(how))
    except ValueError:
        return decoy
    if len(plain) == CEK_BASE64_CHARS:
        try:
            plain = base64.b64decode(plain, validate=True)
        except binascii.Error:
            return decoy
    return plain if len(plain) == CEK_BYTES else decoy


def public_key_text(kek: rsa.RSAPrivateKey) -> str:
    """Return Base64 of the public key's SubjectPublicKeyInfo, the assumed form of getKey's `pubKey`."""
    spki = kek.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(spki).decode()


def decode_binary(text: object) -> bytes:
    """Read a Base64 member of an opened content.

    Raises:
        EnvelopeMalformed: not Base64 text.
    """
    if not isinstance(text, str):
        raise EnvelopeMalformed
    return _decode_base64(text)


def _padding(how: KekPadding) -> padding.AsymmetricPadding:
    if how is KekPadding.PKCS1V15:
        return padding.PKCS1v15()
    # SHA-1 here is the wire's choice inside OAEP; no collision resistance is asked of it.
    digest = hashes.SHA1() if how is KekPadding.OAEP_SHA1 else hashes.SHA256()  # noqa: S303 - OAEP, see above
    return padding.OAEP(mgf=padding.MGF1(digest), algorithm=digest, label=None)


def _decode_base64(text: str) -> bytes:
    if not _BASE64.fullmatch(text):
        raise EnvelopeMalformed
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise EnvelopeMalformed from error


def _parse_object(data: bytes) -> Mapping[str, object]:
    try:
        members = json.loads(data.decode(), object_pairs_hook=_unique_members)
    except (ValueError, RecursionError) as error:
        raise EnvelopeMalformed from error
    if not isinstance(members, dict):
        raise EnvelopeMalformed
    return members


def _unique_members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member is repeated")
    return members
