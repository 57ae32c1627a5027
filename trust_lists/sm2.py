"""SM2-with-SM3 keys and signatures, with the user id per call.

Owns:    `SM2PublicKey`, `SM2PrivateKey`, the exact forms of keys and signatures that we take, the choice of back end.
Leaves:  EVP calls to `sm2_libcrypto`, arithmetic to `sm2_pure`, certificates and CMS to their own modules.
Rules:   `verify` returns None or raises. Only uncompressed points on sm2p256v1, only strict DER signatures.
         Verification works everywhere (libcrypto, else pure Python); signing and key generation need libcrypto.
Spec:    GB/T 32918, GM/T 0009-2012 (encodings, default user id cl. 10), RFC 5480 (SPKI form).

>>> key = SM2PrivateKey.generate()
>>> SM2PublicKey.from_spki(key.spki()).verify(key.sign(b"data"), b"data")
"""

from ctypes import CDLL

from trust_lists import sm2_pure
from trust_lists.errors import KeyRefused, SignatureInvalid, Sm2Unavailable
from trust_lists.sm2_libcrypto import LibcryptoError, Pkey, library, version

DEFAULT_USER_ID = b"1234567812345678"

# SubjectPublicKeyInfo up to and with the 0x04 of the uncompressed point; 64 bytes follow, nothing else.
_SPKI_PREFIX = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d03420004")
# Seen from some builds (Tongsuo #477): the curve's OID stands as the algorithm itself, without or with NULL parameters.
_SPKI_PREFIX_CURVE_AS_ALGORITHM = (
    bytes.fromhex("3050300a06082a811ccf5501822d03420004"),
    bytes.fromhex("3052300c06082a811ccf5501822d050003420004"),
)
_MAX_PRIVATE_DER_BYTES = 4096


def backend() -> str:
    """Name the back end in use, for `doctor` output."""
    return version() or "pure Python (verification only)"


def is_sm2_spki(der: bytes) -> bool:
    """Tell whether this SubjectPublicKeyInfo has one of the forms of an SM2 key; the point is not checked."""
    return any(
        len(der) == len(prefix) + 64 and der.startswith(prefix)
        for prefix in (_SPKI_PREFIX, *_SPKI_PREFIX_CURVE_AS_ALGORITHM)
    )


class SM2PublicKey:
    """A point on sm2p256v1 that verifies signatures."""

    __slots__ = ("_pkey", "_spki", "x", "y")

    def __init__(self, x: int, y: int, *, use_libcrypto: bool = True) -> None:
        """Take affine coordinates.

        Args:
            x: first coordinate.
            y: second coordinate.
            use_libcrypto: False forces the pure back end (differential tests).

        Raises:
            KeyRefused: not a point of the curve.
        """
        if not sm2_pure.on_curve(x, y):
            raise KeyRefused("the public key is not a point of the SM2 curve")
        self.x = x
        self.y = y
        self._spki = _SPKI_PREFIX + x.to_bytes(32, "big") + y.to_bytes(32, "big")
        crypto = library() if use_libcrypto else None
        self._pkey = Pkey.from_spki(crypto, self._spki) if crypto else None

    @classmethod
    def from_spki(cls, der: bytes, *, use_libcrypto: bool = True) -> "SM2PublicKey":
        """Read a SubjectPublicKeyInfo in DER.

        Raises:
            KeyRefused: another kind of key, a compressed point, bytes after the end, a point off the curve.
        """
        for prefix in (_SPKI_PREFIX, *_SPKI_PREFIX_CURVE_AS_ALGORITHM):
            if len(der) == len(prefix) + 64 and der.startswith(prefix):
                point = der[len(prefix) :]
                x, y = int.from_bytes(point[:32], "big"), int.from_bytes(point[32:], "big")
                return cls(x, y, use_libcrypto=use_libcrypto)
        raise KeyRefused("not an SM2 public key")

    def spki(self) -> bytes:
        """Return the SubjectPublicKeyInfo in its usual form (id-ecPublicKey with the curve as parameter)."""
        return self._spki

    def verify(self, signature: bytes, data: bytes, *, user_id: bytes = DEFAULT_USER_ID) -> None:
        """Return when the signature verifies.

        Args:
            signature: strict DER of SEQUENCE { r, s }.
            data: the signed bytes, not their digest.
            user_id: the signer's id that enters Z; the empty id is possible but never assumed.

        Raises:
            SignatureInvalid: in every other case.
        """
        try:
            r, s = sm2_pure.parse_signature(signature)
            if self._pkey is not None:
                good = len(user_id) <= sm2_pure.MAX_USER_ID_BYTES and self._pkey.verify(signature, data, user_id)
            else:
                good = sm2_pure.verify(self.x, self.y, r, s, data, user_id=user_id)
        except (ValueError, LibcryptoError) as error:
            raise SignatureInvalid("the SM2 signature is not well formed") from error
        if not good:
            raise SignatureInvalid("the SM2 signature does not verify")


class SM2PrivateKey:
    """An SM2 private key, held by libcrypto."""

    __slots__ = ("_pkey",)

    def __init__(self, pkey: Pkey) -> None:
        """Use `generate` or `from_der`."""
        self._pkey = pkey

    @classmethod
    def generate(cls) -> "SM2PrivateKey":
        """Make a new key.

        Raises:
            Sm2Unavailable: no libcrypto with SM2.
        """
        return cls(Pkey.generate(_need_library()))

    @classmethod
    def from_der(cls, der: bytes) -> "SM2PrivateKey":
        """Read an unencrypted PKCS#8 or SEC 1 key.

        Raises:
            KeyRefused: not such a key, or not SM2.
            Sm2Unavailable: no libcrypto with SM2.
        """
        if len(der) > _MAX_PRIVATE_DER_BYTES:
            raise KeyRefused("the private key is too long")
        try:
            return cls(Pkey.from_private_der(_need_library(), der))
        except LibcryptoError as error:
            raise KeyRefused("not an SM2 private key") from error

    def to_der(self) -> bytes:
        """Return unencrypted PKCS#8."""
        return self._pkey.pkcs8()

    def spki(self) -> bytes:
        """Return the public half as SubjectPublicKeyInfo."""
        return self.public_key().spki()

    def public_key(self) -> SM2PublicKey:
        """Return the public half."""
        return SM2PublicKey.from_spki(self._pkey.spki())

    def sign(self, data: bytes, *, user_id: bytes = DEFAULT_USER_ID) -> bytes:
        """Return the DER signature over the data under that user id.

        Raises:
            KeyRefused: the user id is too long, or libcrypto refuses.
        """
        if len(user_id) > sm2_pure.MAX_USER_ID_BYTES:
            raise KeyRefused("the user id is too long")
        try:
            return self._pkey.sign(data, user_id)
        except LibcryptoError as error:
            raise KeyRefused("libcrypto could not sign") from error


def _need_library() -> CDLL:
    crypto = library()
    if crypto is None:
        raise Sm2Unavailable("this machine has no libcrypto with SM2; signing needs OpenSSL 3.0 or later")
    return crypto
