"""The wire of iAM Smart from the server's side: signed headers, content envelopes, wrapped content keys.

Owns:    reading and checking the five headers, AES-GCM content, RSA wrapping, identification code and HKIC hash.
Leaves:  what must be remembered (timestamps, nonces, keys) to `ledger`.
Rules:   the HMAC is over the exact bytes that arrived, never over a re-encoded form of them.
Spec:    fact sheet upstreams.md §1.1 and §1.4.
"""

import base64
import hashlib
import hmac
import secrets
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import quote_plus

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from sandbox.iam_smart.codes import CallRefused

IV_BYTES = 12
TAG_BYTES = 16
MAX_NONCE_CHARS = 36


class KekPadding(StrEnum):
    """How the content key is wrapped; the real service does not say, PKCS1V15 is *assumed*."""

    PKCS1V15 = "pkcs1v15"
    OAEP_SHA1 = "oaep-sha1"
    OAEP_SHA256 = "oaep-sha256"


@dataclass(frozen=True, slots=True)
class CallHeaders:
    """The five headers of a call, present and well formed, not yet verified."""

    client_id: str
    signature: str
    timestamp_ms: int
    nonce: str


def read_headers(headers: Mapping[str, str]) -> CallHeaders:
    """Read the five headers.

    Raises:
        CallRefused: D20001 missing, D20002 empty, D20003 malformed, D20005 other signature method.
    """
    values: dict[str, str] = {}
    for name in ("clientID", "signatureMethod", "signature", "timestamp", "nonce"):
        value = headers.get(name)
        if value is None:
            raise CallRefused("D20001")
        if not value:
            raise CallRefused("D20002")
        values[name] = value
    if values["signatureMethod"] != "HmacSHA256":
        raise CallRefused("D20005")
    timestamp, nonce = values["timestamp"], values["nonce"]
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) == 13):
        raise CallRefused("D20003")
    if len(nonce) > MAX_NONCE_CHARS or not nonce.isascii():
        raise CallRefused("D20003")
    return CallHeaders(values["clientID"], values["signature"], int(timestamp), nonce)


def check_signature(headers: CallHeaders, body: bytes, client_secret: str) -> None:
    """Hold the signature against clientID, method, timestamp, nonce and the body's bytes.

    Raises:
        CallRefused: D20006.
    """
    mac = hmac.new(client_secret.encode(), digestmod="sha256")
    for part in (headers.client_id, "HmacSHA256", str(headers.timestamp_ms), headers.nonce):
        mac.update(part.encode())
    mac.update(body)
    expected = quote_plus(base64.b64encode(mac.digest()))
    if not hmac.compare_digest(expected.encode(), headers.signature.encode()):
        raise CallRefused("D20006")


def open_content(key: bytes, content: str) -> bytes:
    """Decrypt a content member.

    Raises:
        CallRefused: D30004 for anything that is not exactly an envelope under this key.
    """
    try:
        raw = base64.b64decode(content, validate=True)
        (iv_length,) = struct.unpack_from(">i", raw)
        if iv_length != IV_BYTES or len(raw) < 4 + IV_BYTES + TAG_BYTES:
            raise CallRefused("D30004")
        return AESGCM(key).decrypt(raw[4 : 4 + IV_BYTES], raw[4 + IV_BYTES :], None)
    except (ValueError, struct.error, InvalidTag) as error:
        raise CallRefused("D30004") from error


def seal_content(key: bytes, plaintext: bytes) -> str:
    """Encrypt into a content member: Base64 of iv length, iv, ciphertext and tag."""
    iv = secrets.token_bytes(IV_BYTES)
    return base64.b64encode(struct.pack(">i", IV_BYTES) + iv + AESGCM(key).encrypt(iv, plaintext, None)).decode()


def wrap_key(kek: RSAPublicKey, plain: bytes, how: KekPadding) -> str:
    """Encrypt a content key (its raw or its Base64 form) under the relying party's registered key; Base64."""
    chosen: padding.AsymmetricPadding
    if how is KekPadding.PKCS1V15:
        chosen = padding.PKCS1v15()
    else:
        algorithm = hashes.SHA1() if how is KekPadding.OAEP_SHA1 else hashes.SHA256()  # noqa: S303 - the wire's own choice
        chosen = padding.OAEP(mgf=padding.MGF1(algorithm=algorithm), algorithm=algorithm, label=None)
    return base64.b64encode(kek.encrypt(plain, chosen)).decode()


def phone_code(hash_code: str, open_id: str) -> str:
    """Compute the four digits that the phone shows for a signing request, over the texts as they were sent."""
    joined = hashlib.sha256(hash_code.encode()).digest() + hashlib.sha256(open_id.encode()).digest()
    reduced = hashlib.md5(hashlib.sha512(joined).digest(), usedforsecurity=False).hexdigest()
    # The high nibble of every fourth byte is every eighth hexadecimal digit.
    return "".join(str(int(reduced[position], 16) % 10) for position in (0, 8, 16, 24))


def holder_hash(identity_card: str) -> str:
    """Compute Base64(SHA-256) of an identity card's identifier without its check digit."""
    return base64.b64encode(hashlib.sha256(identity_card.encode()).digest()).decode()
