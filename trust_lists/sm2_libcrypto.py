"""The system libcrypto's SM2 through ctypes: the only file that calls it.

Owns:    finding the library, the EVP calls, freeing what they return. Leaves formats, strictness and errors to `sm2`.
Rules:   the user id is set before DigestSign/VerifyInit, at every call: OpenSSL 3's own default is the empty id.
         Every key is asked `EVP_PKEY_is_a("SM2")`: a P-256 key would otherwise verify under 1.501.
Spec:    OpenSSL 3.0 EVP_PKEY-SM2(7), EVP_PKEY_CTX_set1_id(3). `GBA_TRUST_LIBCRYPTO` is read by service settings, not here.
"""

import ctypes
import ctypes.util
from ctypes import POINTER, c_char_p, c_int, c_long, c_size_t, c_void_p
from functools import lru_cache

_CANDIDATES = ("libcrypto.so.4", "libcrypto.so.3", "libcrypto.3.dylib")
_MAX_DER_BYTES = 4096
_MAX_SIGNATURE_BYTES = 128

_SIGNATURES: dict[str, tuple[object, tuple[object, ...]]] = {
    "d2i_PUBKEY": (c_void_p, (c_void_p, POINTER(c_char_p), c_long)),
    "d2i_AutoPrivateKey": (c_void_p, (c_void_p, POINTER(c_char_p), c_long)),
    "i2d_PUBKEY": (c_int, (c_void_p, POINTER(c_void_p))),
    "EVP_PKEY2PKCS8": (c_void_p, (c_void_p,)),
    "i2d_PKCS8_PRIV_KEY_INFO": (c_int, (c_void_p, POINTER(c_void_p))),
    "PKCS8_PRIV_KEY_INFO_free": (None, (c_void_p,)),
    "EVP_PKEY_is_a": (c_int, (c_void_p, c_char_p)),
    "EVP_PKEY_free": (None, (c_void_p,)),
    "EVP_PKEY_CTX_new": (c_void_p, (c_void_p, c_void_p)),
    "EVP_PKEY_CTX_new_from_name": (c_void_p, (c_void_p, c_char_p, c_char_p)),
    "EVP_PKEY_CTX_free": (None, (c_void_p,)),
    "EVP_PKEY_CTX_set1_id": (c_int, (c_void_p, c_char_p, c_int)),
    "EVP_PKEY_keygen_init": (c_int, (c_void_p,)),
    "EVP_PKEY_generate": (c_int, (c_void_p, POINTER(c_void_p))),
    "EVP_MD_CTX_new": (c_void_p, ()),
    "EVP_MD_CTX_free": (None, (c_void_p,)),
    "EVP_MD_CTX_set_pkey_ctx": (None, (c_void_p, c_void_p)),
    "EVP_sm3": (c_void_p, ()),
    "EVP_DigestVerifyInit": (c_int, (c_void_p,) * 5),
    "EVP_DigestVerify": (c_int, (c_void_p, c_char_p, c_size_t, c_char_p, c_size_t)),
    "EVP_DigestSignInit": (c_int, (c_void_p,) * 5),
    "EVP_DigestSign": (c_int, (c_void_p, c_char_p, POINTER(c_size_t), c_char_p, c_size_t)),
    "ERR_clear_error": (None, ()),
    "OpenSSL_version": (c_char_p, (c_int,)),
}


class LibcryptoError(RuntimeError):
    """libcrypto refused or failed; `sm2` turns it into a domain error."""


@lru_cache(maxsize=1)
def library() -> ctypes.CDLL | None:
    """Return the first libcrypto that has SM2 and SM3, its functions typed; None when there is none."""
    for name in (*_CANDIDATES, ctypes.util.find_library("crypto")):
        if name is None:
            continue
        try:
            found = ctypes.CDLL(name)
        except OSError:
            continue
        if _bind(found) and _can_make_keys(found):
            return found
    return None


def _bind(found: ctypes.CDLL) -> bool:
    for name, (result, arguments) in _SIGNATURES.items():
        try:
            function = getattr(found, name)
        except AttributeError:
            return False
        function.restype = result
        function.argtypes = arguments
    return True


def _can_make_keys(found: ctypes.CDLL) -> bool:
    """Builds with no-sm2 (Fedora, RHEL) keep the EVP symbols and lack the algorithm: ask for it by name."""
    context = found.EVP_PKEY_CTX_new_from_name(None, b"SM2", None)
    found.EVP_PKEY_CTX_free(context)
    found.ERR_clear_error()
    return bool(context)


def version() -> str | None:
    """Return the version text of the library in use, None without one."""
    found = library()
    return found.OpenSSL_version(0).decode("ascii", "replace") if found else None


class Pkey:
    """An EVP_PKEY known to be SM2, freed with this object."""

    def __init__(self, crypto: ctypes.CDLL, pointer: int | None) -> None:
        """Take ownership of the pointer.

        Raises:
            LibcryptoError: no key, or a key of another kind.
        """
        self._crypto = crypto
        self._pointer = pointer
        if not pointer or crypto.EVP_PKEY_is_a(pointer, b"SM2") != 1:
            crypto.ERR_clear_error()
            raise LibcryptoError("not an SM2 key")

    def __del__(self) -> None:
        if getattr(self, "_pointer", None):
            self._crypto.EVP_PKEY_free(self._pointer)
            self._pointer = None

    @classmethod
    def from_spki(cls, crypto: ctypes.CDLL, der: bytes) -> "Pkey":
        """Read a SubjectPublicKeyInfo."""
        return cls(crypto, crypto.d2i_PUBKEY(None, ctypes.byref(c_char_p(der)), len(der)))

    @classmethod
    def from_private_der(cls, crypto: ctypes.CDLL, der: bytes) -> "Pkey":
        """Read PKCS#8 or SEC 1 private key bytes."""
        return cls(crypto, crypto.d2i_AutoPrivateKey(None, ctypes.byref(c_char_p(der)), len(der)))

    @classmethod
    def generate(cls, crypto: ctypes.CDLL) -> "Pkey":
        """Make a new key pair."""
        context = crypto.EVP_PKEY_CTX_new_from_name(None, b"SM2", None)
        pointer = c_void_p()
        try:
            if crypto.EVP_PKEY_keygen_init(context) != 1 or crypto.EVP_PKEY_generate(context, pointer) != 1:
                crypto.ERR_clear_error()
                raise LibcryptoError("key generation failed")
        finally:
            crypto.EVP_PKEY_CTX_free(context)
        return cls(crypto, pointer.value)

    def spki(self) -> bytes:
        """Return the SubjectPublicKeyInfo."""
        return self._encode(self._crypto.i2d_PUBKEY, self._pointer)

    def pkcs8(self) -> bytes:
        """Return the private key as unencrypted PKCS#8."""
        info = self._crypto.EVP_PKEY2PKCS8(self._pointer)
        if not info:
            self._crypto.ERR_clear_error()
            raise LibcryptoError("no private key")
        try:
            return self._encode(self._crypto.i2d_PKCS8_PRIV_KEY_INFO, info)
        finally:
            self._crypto.PKCS8_PRIV_KEY_INFO_free(info)

    def _encode(self, function: "ctypes._NamedFuncPointer", structure: int | None) -> bytes:
        buffer = ctypes.create_string_buffer(_MAX_DER_BYTES)
        if not 0 < function(structure, None) <= _MAX_DER_BYTES:
            self._crypto.ERR_clear_error()
            raise LibcryptoError("cannot encode the key")
        length = function(structure, ctypes.byref(c_void_p(ctypes.addressof(buffer))))
        return buffer.raw[:length]

    def verify(self, signature: bytes, data: bytes, user_id: bytes) -> bool:
        """Tell whether the DER signature signs the data under that user id."""
        digest_context, key_context = self._contexts(self._crypto.EVP_DigestVerifyInit, user_id)
        try:
            good = self._crypto.EVP_DigestVerify(digest_context, signature, len(signature), data, len(data)) == 1
        finally:
            self._free(digest_context, key_context)
        return bool(good)

    def sign(self, data: bytes, user_id: bytes) -> bytes:
        """Return a DER signature."""
        digest_context, key_context = self._contexts(self._crypto.EVP_DigestSignInit, user_id)
        try:
            length = c_size_t(_MAX_SIGNATURE_BYTES)
            buffer = ctypes.create_string_buffer(_MAX_SIGNATURE_BYTES)
            if self._crypto.EVP_DigestSign(digest_context, buffer, ctypes.byref(length), data, len(data)) != 1:
                raise LibcryptoError("signing failed")
            return buffer.raw[: length.value]
        finally:
            self._free(digest_context, key_context)

    def _contexts(self, initialise: "ctypes._NamedFuncPointer", user_id: bytes) -> tuple[int, int]:
        crypto = self._crypto
        digest_context = crypto.EVP_MD_CTX_new()
        key_context = crypto.EVP_PKEY_CTX_new(self._pointer, None)
        if crypto.EVP_PKEY_CTX_set1_id(key_context, user_id, len(user_id)) == 1:
            crypto.EVP_MD_CTX_set_pkey_ctx(digest_context, key_context)
            if initialise(digest_context, None, crypto.EVP_sm3(), None, self._pointer) == 1:
                return digest_context, key_context
        self._free(digest_context, key_context)
        raise LibcryptoError("cannot prepare the operation")

    def _free(self, digest_context: int, key_context: int) -> None:
        # set_pkey_ctx leaves the key context ours, so both are freed here; errors of this thread are forgotten.
        self._crypto.EVP_MD_CTX_free(digest_context)
        self._crypto.EVP_PKEY_CTX_free(key_context)
        self._crypto.ERR_clear_error()
