"""Signed data with SM2 and SM3, in the dialects that are found: RFC 5652, GM/T 0010, and GmSSL's own, which is refused by name.

Owns:    which dialect a SignedData speaks, and verifying the signature of its one signer over its content. Leaves paths and trust to
         others; PDF signatures to `signing.cms`.
Rules:   1 the digest is SM3, the key SM2, the signature over Z and the content (or the signed attributes): nothing else is accepted
         2 a value that verifies only without Z, or only under the empty user id, is refused, and the refusal says which dialect it is:
           whoever made it can then be told what is wrong
         3 one signer; its certificate is found by issuer and serial number and is among the certificates
Spec:    GM/T 0010-2012 = GB/T 35275 cl. 8 (signedData), GM/T 0009 cl. 10 (user id); RFC 5652 cl. 5.4. GmSSL 3.1.1 `cmssign` hashes the
         encapsulated ContentInfo without Z (facts §5.3, trap 3); OpenSSL 3.0 `cms` uses the empty user id (trap 2).
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NoReturn

from asn1crypto import cms

from trust_lists import asn1_oids as oid
from trust_lists import sm2_pure
from trust_lists.certificates import public_key_info
from trust_lists.errors import AlgorithmRefused, KeyRefused, SignatureInvalid
from trust_lists.sm2 import SM2PublicKey

MAX_BYTES = 64 * 1024 * 1024


class Dialect(StrEnum):
    """How a SignedData with SM2 is written."""

    RFC_5652 = "RFC 5652"
    """The international form, with SM2's object identifiers."""
    GMT_0010 = "GM/T 0010"
    """The national form: its own content types, no signed attributes needed."""


@dataclass(frozen=True, slots=True)
class SignedContent:
    """Content whose signature holds; the signer's certificate is not judged here."""

    dialect: Dialect
    content: bytes
    certificate: bytes


def verify_signed_data(der: bytes, detached: bytes | None = None) -> SignedContent:
    """Return the content of a SignedData whose SM2 signature holds.

    Args:
        der: the ContentInfo.
        detached: the content, where it is not inside.

    Raises:
        SignatureInvalid: it does not hold, or only in a dialect that is refused; the message names it.
        AlgorithmRefused: not SM2 with SM3.
        KeyRefused: the signer's certificate is missing or carries no SM2 key.
    """
    if len(der) > MAX_BYTES:
        raise SignatureInvalid("the signed data is too long")
    dialect, signed, signer = _read(lambda: _parts(der))
    content = detached if detached is not None else _read(lambda: _content(signed))
    certificate = _read(lambda: _signer_certificate(signed, signer))
    key = SM2PublicKey.from_spki(public_key_info(certificate))
    message = _read(lambda: _message(signer, content))
    value = _read(lambda: bytes(signer["signature"].native))
    try:
        key.verify(value, message)
    except SignatureInvalid:
        _name_dialect(key, value, message, _read(signed["encap_content_info"].dump))
    return SignedContent(dialect, content, certificate)


def _read(work: "Callable[[], Any]") -> Any:  # noqa: ANN401 - asn1crypto has no types
    """Run one reading step; whatever asn1crypto trips over makes the data none."""
    try:
        return work()
    except (SignatureInvalid, AlgorithmRefused, KeyRefused):
        raise
    except Exception as error:
        raise SignatureInvalid("the signed data cannot be read") from error


def _parts(der: bytes) -> tuple[Dialect, Any, Any]:
    info = cms.ContentInfo.load(der, strict=True)
    dialects = {"signed_data": Dialect.RFC_5652, "gm_signed_data": Dialect.GMT_0010}
    dialect = dialects.get(info["content_type"].native)
    if dialect is None:
        raise SignatureInvalid("not signed data")
    signed = info["content"]
    if len(signed["signer_infos"]) != 1:
        raise SignatureInvalid("there must be one signer")
    signer = signed["signer_infos"][0]
    algorithm = signer["signature_algorithm"]["algorithm"].dotted
    digest = signer["digest_algorithm"]["algorithm"].dotted
    if digest != oid.SM3 or algorithm not in (oid.SM2_WITH_SM3, oid.SM2_SIGN):
        raise AlgorithmRefused("the signed data is not signed with SM2 over SM3")
    return dialect, signed, signer


def _content(signed: Any) -> bytes:  # noqa: ANN401 - asn1crypto has no types
    native = signed["encap_content_info"]["content"].native
    if not isinstance(native, bytes):
        raise SignatureInvalid("the signed data carries no content, and none is given")
    return native


def _signer_certificate(signed: Any, signer: Any) -> bytes:  # noqa: ANN401 - asn1crypto has no types
    sid = signer["sid"]
    if sid.name != "issuer_and_serial_number":
        raise KeyRefused("the signer is not named by issuer and serial number")
    wanted = (sid.chosen["issuer"].dump(), sid.chosen["serial_number"].native)
    for choice in signed["certificates"]:
        found = choice.chosen
        if choice.name == "certificate" and (found.issuer.dump(), found.serial_number) == wanted:
            return bytes(found.dump())
    raise KeyRefused("the signer's certificate is not among the certificates")


def _message(signer: Any, content: bytes) -> bytes:  # noqa: ANN401 - asn1crypto has no types
    """Return what was signed: the content, or the attributes that carry its digest (RFC 5652 cl. 5.4)."""
    attributes = signer["signed_attrs"]
    if not attributes.native:
        return content
    digests = [a["values"] for a in attributes if a["type"].native == "message_digest"]
    if len(digests) != 1 or len(digests[0]) != 1 or digests[0][0].native != sm2_pure.sm3(content):
        raise SignatureInvalid("the digest in the signed attributes is not that of the content")
    return b"\x31" + bytes(attributes.dump()[1:])


def _name_dialect(key: SM2PublicKey, value: bytes, message: bytes, encapsulated: bytes) -> NoReturn:
    """Refuse, and say in which dialect the value would have held."""
    try:
        r, s = sm2_pure.parse_signature(value)
    except ValueError:
        raise SignatureInvalid("the SM2 signature is not well formed") from None
    if sm2_pure.verify(key.x, key.y, r, s, message, user_id=b""):
        raise SignatureInvalid("signed under the empty user id, as OpenSSL 3.0 does unless told otherwise: refused")
    if sm2_pure.verify_digest(key.x, key.y, r, s, sm2_pure.sm3(encapsulated)):
        raise SignatureInvalid("signed over the content info without Z, as GmSSL's cmssign does: refused")
    if sm2_pure.verify_digest(key.x, key.y, r, s, sm2_pure.sm3(message)):
        raise SignatureInvalid("signed over the bare digest without Z: refused")
    raise SignatureInvalid("the SM2 signature does not verify")
