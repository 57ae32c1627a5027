"""XAdES on trusted lists: sign one, and verify one so that only what was signed is ever read.

Owns:    the only import of signxml; which signatures are taken; the self-made certificate of a region's XML signer.
Leaves:  what the list says to `xml_import`; whose certificate it must be to whoever asks.
Rules:   1 at most one signature, a child of the list itself, over the whole list: its reference is "" or the root's own Id, and no other
           element has that Id (wrapped signatures)
         2 algorithms as signxml allows them by default: no SHA-1, no HMAC, a certificate always
         3 what comes back is the element that was signed, parsed again from the signed bytes; the input tree is never read
         4 an expired signer is no reason: old lists must stay readable; whether it was trusted then is the caller's question
Spec:    ETSI EN 319 132-1 (XAdES B-B, SigningCertificateV2), TS 119 612 cl. 5.7.1; XML Signature cl. 4.4.3, 8.1.
"""

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import NameOID
from lxml import etree
from signxml.algorithms import CanonicalizationMethod, SignatureConstructionMethod, SignatureMethod
from signxml.util import SigningSettings
from signxml.xades.xades import XAdESDataObjectFormat, XAdESSignatureConfiguration, XAdESSigner, XAdESVerifier

from trust_lists import xml_names as names
from trust_lists.errors import CertificateMalformed, KeyRefused, ListMalformed, SignatureInvalid

_SIGNATURE = f"{{{names.DS}}}Signature"
_CERTIFICATE_LIFE = timedelta(days=5 * 365)
MAX_ELEMENTS = 3_000_000
MAX_XML_BYTES = 64 * 1024 * 1024

XmlKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class XmlSigner:
    """The key and certificate by which a region's XML lists are signed."""

    key: XmlKey
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        """The certificate, as pointers carry it."""
        return self.certificate.public_bytes(Encoding.DER)


def load_xml_key(pem: bytes, password: bytes | None) -> XmlKey:
    """Read a private key for XML signatures: ECDSA P-256 or RSA.

    Raises:
        KeyRefused: another kind, or the password is wrong.
    """
    try:
        key = load_pem_private_key(pem, password)
    except (ValueError, TypeError) as error:
        raise KeyRefused("the key cannot be opened; is the password right?") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise KeyRefused("XML lists are signed with an ECDSA P-256 or RSA key: `trust-list key new --kind p256`")
    return key


def self_made(key: XmlKey, operator: str, country: str, at: datetime) -> XmlSigner:
    """Return a signer with a certificate of its own: organisation and country as TS 119 612 cl. 5.7.1 binds them to the operator."""
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, country),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, operator[:64]),
            x509.NameAttribute(NameOID.COMMON_NAME, f"{operator[:50]} XML lists"[:64]),
        ]
    )
    tsl_signing = x509.ObjectIdentifier("0.4.0.2231.3.0")  # id-tsl-kp-tslSigning, TS 119 612 cl. 5.7.1
    builder = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), at, at + _CERTIFICATE_LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([tsl_signing]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(_digital_signature(), critical=True)
    )
    return XmlSigner(key, builder.sign(key, hashes.SHA256()))


def _digital_signature() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=False, crl_sign=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


class _Signer(XAdESSigner):
    """Writes the given signing time, and names the canonicalisation of every reference.

    signxml 5.2 digests its own properties by the signature's canonicalisation but writes no Transforms for them, which a verifier must
    read as canonical XML 1.0 (XML Signature cl. 4.4.3.2): with the exclusive form the two differ where the list declares namespaces.
    """

    def __init__(self, at: datetime, **arguments: Any) -> None:  # noqa: ANN401 - signxml's own
        super().__init__(**arguments)
        self._at = at

    def add_signing_time(
        self,
        signed_signature_properties: Any,  # noqa: ANN401 - lxml elements
        sig_root: Any,  # noqa: ANN401 - signxml's signature
        signing_settings: SigningSettings,
    ) -> None:
        element = etree.SubElement(signed_signature_properties, f"{{{names.XADES}}}SigningTime", nsmap=self.namespaces)
        element.text = self._at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def _add_reference_to_signed_info(self, sig_root: Any, node_to_reference: Any, **attributes: str) -> None:  # noqa: ANN401
        super()._add_reference_to_signed_info(sig_root, node_to_reference, **attributes)  # type: ignore[no-untyped-call]
        reference = sig_root.find(f"{{{names.DS}}}SignedInfo")[-1]
        transforms = etree.Element(f"{{{names.DS}}}Transforms", nsmap=self.namespaces)
        etree.SubElement(transforms, f"{{{names.DS}}}Transform", Algorithm=self.c14n_alg.value)
        reference.insert(0, transforms)


def sign_list(root: Any, signer: XmlSigner, at: datetime) -> bytes:  # noqa: ANN401 - an lxml tree
    """Return the list with an enveloped XAdES B-B signature."""
    is_rsa = isinstance(signer.key, rsa.RSAPrivateKey)
    exclusive = CanonicalizationMethod.EXCLUSIVE_XML_CANONICALIZATION_1_0
    signed = _Signer(
        at,
        data_object_format=XAdESDataObjectFormat("trusted list", names.MIME_TYPE),
        method=SignatureConstructionMethod.enveloped,
        signature_algorithm=SignatureMethod.RSA_SHA256 if is_rsa else SignatureMethod.ECDSA_SHA256,
        c14n_algorithm=exclusive,
    ).sign(root, key=signer.key, cert=[signer.certificate], always_add_key_value=False)
    return bytes(etree.tostring(signed, xml_declaration=True, encoding="UTF-8"))


# --- verifying ---------------------------------------------------------------------------------------------------------


def parse_xml(data: bytes) -> Any:  # noqa: ANN401 - an lxml element
    """Parse hostile XML within bounds: UTF-8, no document type, no entities, nothing fetched, limited depth and size.

    Raises:
        ListMalformed: any of these, or not XML.
    """
    if len(data) > MAX_XML_BYTES:
        raise ListMalformed("the XML is too long")
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data or b"\x00" in data:
        raise ListMalformed("the XML declares a document type or is not UTF-8")
    # libxml2 refuses what is deeper than 256 elements and texts longer than 10 MB unless `huge_tree` is set.
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False, huge_tree=False,
        remove_comments=True, remove_pis=True, encoding="utf-8",
    )  # fmt: skip
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise ListMalformed("the document is not well-formed XML, or too deep") from error
    if root is None or sum(1 for _ in root.iter()) > MAX_ELEMENTS:
        raise ListMalformed("the XML has too many elements")
    return root


@dataclass(frozen=True, slots=True)
class SignedList:
    """The element that was signed, and by which certificate; the signature holds, whether the signer counts is not said."""

    root: Any
    certificate: bytes


def verify_list(data: bytes) -> SignedList | None:
    """Return what was signed of a list, None when it carries no signature at all.

    Raises:
        SignatureInvalid: the signature does not hold, or is not over the whole list.
        ListMalformed: not XML within bounds.
    """
    root = parse_xml(data)
    signatures = list(root.iter(_SIGNATURE))
    if not signatures:
        return None
    _check_place(root, signatures)  # rule 1
    certificate = _certificate_of(signatures[0])
    inside = certificate.not_valid_before_utc + timedelta(seconds=1)  # rule 4
    config = XAdESSignatureConfiguration(
        require_x509=True, location="./", expect_references=True, verification_time=inside
    )
    try:
        results = XAdESVerifier().verify(etree.tostring(root), x509_cert=certificate, expect_config=config)
    except Exception as error:
        raise SignatureInvalid(f"the XML signature does not hold ({type(error).__name__})") from error
    wanted = f"{{{names.TSL}}}TrustServiceStatusList"
    whole = [result.signed_data for result in results if getattr(result.signed_xml, "tag", None) == wanted]
    if len(whole) != 1:
        raise SignatureInvalid("the XML signature is not over the list")
    return SignedList(parse_xml(whole[0]), certificate.public_bytes(Encoding.DER))  # rule 3


def _check_place(root: Any, signatures: list[Any]) -> None:  # noqa: ANN401 - lxml elements
    """One signature, a child of the root, over the root."""
    if len(signatures) != 1 or signatures[0].getparent() is not root:
        raise SignatureInvalid("a list carries one signature, as a child of the list itself")
    own = root.get("Id")
    ids = [value for element in root.iter() for name, value in element.attrib.items() if name.lower() == "id"]
    if len(set(ids)) != len(ids):
        raise SignatureInvalid("an Id occurs twice: the signature may be wrapped")
    references = signatures[0].findall(f"{{{names.DS}}}SignedInfo/{{{names.DS}}}Reference")
    over_list = [reference.get("URI") for reference in references]
    if not any(uri == "" or (own and uri == f"#{own}") for uri in over_list):
        raise SignatureInvalid("the XML signature is not over the list")


def _certificate_of(signature: Any) -> x509.Certificate:  # noqa: ANN401 - an lxml element
    path = f"{{{names.DS}}}KeyInfo/{{{names.DS}}}X509Data/{{{names.DS}}}X509Certificate"
    found = signature.find(path)
    try:
        return x509.load_der_x509_certificate(base64.b64decode("".join((found.text or "").split()), validate=True))
    except (AttributeError, ValueError, TypeError, binascii.Error) as error:
        raise SignatureInvalid("the XML signature carries no certificate") from error


def read_xml_certificate(pem: bytes) -> x509.Certificate:
    """Read a signer's certificate, PEM or DER.

    Raises:
        CertificateMalformed: it is none.
    """
    try:
        if pem.lstrip().startswith(b"-----"):
            return x509.load_pem_x509_certificate(pem)
        return x509.load_der_x509_certificate(pem)
    except ValueError as error:
        raise CertificateMalformed("the certificate cannot be read") from error
