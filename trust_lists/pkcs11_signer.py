"""Keys in a PKCS#11 token: a smart card, an HSM, SoftHSM.

Owns:    the only import of PyKCS11: open a session, find the key, sign. Leaves the PIN to whoever calls.
Rules:   the private key never leaves the token. The key is named by an RFC 7512 URI; exactly one token and one key must fit.
         Ed25519 and ECDSA P-256, as everywhere; a signature is verified before it is used.
Spec:    PKCS#11 v3.0 cl. 2.3.14 (CKM_ECDSA: r and s side by side), 2.3.20 (CKM_EDDSA); RFC 7512 (URI).
"""

import hashlib
from typing import Any
from urllib.parse import unquote

from asn1crypto import core
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from securesystemslib.signer import Key, SecretsHandler, Signature, Signer, SSlibKey  # type: ignore[attr-defined]  # its public names

from trust_lists.command_signer import verified
from trust_lists.errors import KeyRefused, ListStorageFailed

_CKM_EDDSA = 0x1057
_POINT_P256 = 65
_POINT_ED25519 = 32


def parse_pkcs11_uri(uri: str) -> dict[str, str]:
    """Return the attributes of an RFC 7512 URI, path and query together.

    Raises:
        KeyRefused: not of the form, or without `object` and `module-path`.
    """
    scheme, _, rest = uri.partition(":")
    path, _, query = rest.partition("?")
    pairs = [part.partition("=") for part in [*path.split(";"), *query.split("&")] if part]
    found = {name: unquote(value) for name, separator, value in pairs if separator}
    if scheme != "pkcs11" or len(found) != len(pairs) or not {"object", "module-path"} <= set(found):
        raise KeyRefused("expected pkcs11:token=LABEL;object=KEY?module-path=LIBRARY")
    if "pin-value" in found:
        raise KeyRefused("a PIN has no place in a command line: it comes from the environment or a prompt")
    return found


class Pkcs11Signer(Signer):
    """One key in one token."""

    def __init__(self, session: Any, private: Any, public_key: SSlibKey) -> None:  # noqa: ANN401 - PyKCS11 has no types
        """Use `open_pkcs11`."""
        self._session = session
        self._private = private
        self._public_key = public_key

    @property
    def public_key(self) -> SSlibKey:
        """The public half, as the token gives it."""
        return self._public_key

    @classmethod
    def from_priv_key_uri(
        cls, priv_key_uri: str, public_key: Key, secrets_handler: SecretsHandler | None = None
    ) -> Signer:
        """Not used: `key_sources` builds these."""
        raise NotImplementedError

    def sign(self, payload: bytes) -> Signature:
        """Let the token sign.

        Raises:
            KeyRefused: the token refuses.
        """
        import PyKCS11  # noqa: PLC0415 - optional: only where a token is used

        ecdsa = self._public_key.keytype == "ecdsa"
        mechanism = PyKCS11.Mechanism(PyKCS11.CKM_ECDSA if ecdsa else _CKM_EDDSA)
        data = hashlib.sha256(payload).digest() if ecdsa else payload
        try:
            raw = bytes(self._session.sign(self._private, data, mechanism))
        except PyKCS11.PyKCS11Error as error:
            raise KeyRefused("the token refuses to sign") from error
        if ecdsa:
            half = len(raw) // 2
            raw = encode_dss_signature(int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big"))
        return verified(self._public_key, payload, raw)


def open_pkcs11(uri: str, pin: str) -> Pkcs11Signer:
    """Open the key that a URI names.

    Raises:
        KeyRefused: no such token or key, more than one, a wrong PIN, another kind of key.
        ListStorageFailed: PyKCS11 or the token's library is missing.
    """
    try:
        import PyKCS11  # noqa: PLC0415 - as above
    except ImportError as error:
        raise ListStorageFailed("PKCS#11 needs the package pykcs11: pip install 'gba-trust[pkcs11]'") from error
    named = parse_pkcs11_uri(uri)
    library = PyKCS11.PyKCS11Lib()
    try:
        library.load(named["module-path"])
    except PyKCS11.PyKCS11Error as error:
        raise ListStorageFailed("the library of the token cannot be loaded") from error
    try:
        slots = [
            slot
            for slot in library.getSlotList(tokenPresent=True)
            if library.getTokenInfo(slot).label.strip("\0 ")
            == named.get("token", library.getTokenInfo(slot).label.strip("\0 "))
        ]
        if len(slots) != 1:
            raise KeyRefused(f"{len(slots)} tokens fit, not one: name it by token=LABEL")
        session = library.openSession(slots[0])
        session.login(pin)
        private = _one(session, PyKCS11, PyKCS11.CKO_PRIVATE_KEY, named["object"])
        public = _one(session, PyKCS11, PyKCS11.CKO_PUBLIC_KEY, named["object"])
        (point,) = session.getAttributeValue(public, [PyKCS11.CKA_EC_POINT])
    except PyKCS11.PyKCS11Error as error:
        raise KeyRefused("the token refuses; is the PIN right?") from error
    return Pkcs11Signer(session, private, SSlibKey.from_crypto(_public_key(bytes(point))))


def _one(session: Any, library: Any, kind: int, label: str) -> Any:  # noqa: ANN401 - PyKCS11 has no types
    found = session.findObjects([(library.CKA_CLASS, kind), (library.CKA_LABEL, label)])
    if len(found) != 1:
        raise KeyRefused(f"{len(found)} keys of that name lie in the token, not one")
    return found[0]


def _public_key(point: bytes) -> ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey:
    """Read CKA_EC_POINT: an OCTET STRING around the point (some tokens leave it out)."""
    try:
        if len(point) not in (_POINT_P256, _POINT_ED25519):
            point = core.OctetString.load(point, strict=True).native
        if len(point) == _POINT_ED25519:
            return ed25519.Ed25519PublicKey.from_public_bytes(point)
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except (ValueError, TypeError) as error:
        raise KeyRefused("not an Ed25519 or ECDSA P-256 key") from error
