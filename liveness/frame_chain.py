"""The frames' order, time and integrity: a hash chain from the nonce on, signed at its end by the session's key.

Owns:    `FrameChain`, the session key's form, the answer's signature. Leaves pictures to `frames` and `capture`.
Rules:   1 h0 = SHA-256(nonce); h(i) = SHA-256(h(i-1) ‖ uint32be index ‖ uint32be t_ms ‖ SHA-256(jpeg))
         2 indexes run 0, 1, 2 …; times grow and do not run ahead of arrival
         3 the signature is ES256 (raw r ‖ s) over nonce ‖ chain head ‖ uint32be count; the nonce is the text as given out (ASCII)
Spec:    RFC 7518 section 3.4 (ES256), section 6.2 (EC keys), RFC 7515 Appendix C (base64url)
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from liveness.config import FrameLimits
from liveness.errors import (
    FrameChainMismatch,
    FrameOutOfOrder,
    FrameSignatureInvalid,
    FrameTimeRefused,
    FrameTooLarge,
    RequestMalformed,
    TooManyFrames,
)
from liveness.frames import Frame, check_frame_bytes

_COORDINATE_BYTES = 32
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")
MAX_T_MS = 2**32 - 1


def decode_base64url(text: str, *, length: int) -> bytes:
    """Return the bytes of an unpadded base64url text of a known length.

    Raises:
        RequestMalformed: other characters or another length.
    """
    try:
        if not _BASE64URL.fullmatch(text):
            raise RequestMalformed("a field is not base64url")
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (ValueError, binascii.Error) as error:
        raise RequestMalformed("a field is not base64url") from error
    if len(data) != length:
        raise RequestMalformed(f"a field has {len(data)} bytes, expected {length}")
    return data


def parse_session_key(jwk: Mapping[str, object]) -> ec.EllipticCurvePublicKey:
    """Return the session's public key from its JWK.

    Raises:
        RequestMalformed: not a public P-256 key.
    """
    x, y = jwk.get("x"), jwk.get("y")
    if (
        jwk.get("kty") != "EC"
        or jwk.get("crv") != "P-256"
        or "d" in jwk
        or not isinstance(x, str)
        or not isinstance(y, str)
    ):
        raise RequestMalformed("public_key is not a public P-256 JWK")
    point = b"\x04" + decode_base64url(x, length=_COORDINATE_BYTES) + decode_base64url(y, length=_COORDINATE_BYTES)
    try:
        return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
    except ValueError as error:
        raise RequestMalformed("public_key is not a point of P-256") from error


def answer_message(nonce: str, head: bytes, count: int) -> bytes:
    """Return what the page signs."""
    return nonce.encode() + head + count.to_bytes(4, "big")


@dataclass(slots=True)
class FrameChain:
    """The accepted frames of one session, as digests."""

    nonce: str
    limits: FrameLimits
    max_clock_ahead_ms: int
    digests: list[bytes] = field(default_factory=list)
    last_t_ms: int = -1
    total_bytes: int = 0
    head: bytes = b""

    def __post_init__(self) -> None:
        self.head = hashlib.sha256(self.nonce.encode()).digest()

    def accept(self, frames: Sequence[Frame], *, elapsed_ms: int) -> list[Frame]:
        """Return the new frames of a batch, all checks done; changes nothing.

        A batch sent twice because an answer was lost is no fault: frames already here, unchanged, fall away.

        Args:
            frames: in order.
            elapsed_ms: since the challenge was given out, by our clock.

        Raises:
            FrameRefused: or one of its children.
        """
        fresh = [frame for frame in frames if not self._is_resent(frame)]
        if len(frames) > self.limits.max_batch_frames or len(self.digests) + len(fresh) > self.limits.max_frames:
            raise TooManyFrames("more frames than a session takes")
        if self.total_bytes + sum(len(frame.jpeg) for frame in fresh) > self.limits.max_session_bytes:
            raise FrameTooLarge("the session's frames are too large together")
        last = self.last_t_ms
        for number, frame in enumerate(fresh, len(self.digests)):
            if frame.index != number:
                raise FrameOutOfOrder(f"frame {frame.index} came where frame {number} was due")
            if not last < frame.t_ms <= min(MAX_T_MS, elapsed_ms + self.max_clock_ahead_ms):
                raise FrameTimeRefused(f"frame {frame.index} has a time that cannot be")
            check_frame_bytes(frame.jpeg, self.limits)
            last = frame.t_ms
        return fresh

    def extend(self, frames: Sequence[Frame]) -> None:
        """Add accepted frames to the chain."""
        for frame in frames:
            digest = frame.sha256()
            link = self.head + frame.index.to_bytes(4, "big") + frame.t_ms.to_bytes(4, "big") + digest
            self.head = hashlib.sha256(link).digest()
            self.digests.append(digest)
            self.last_t_ms = frame.t_ms
            self.total_bytes += len(frame.jpeg)

    def verify_answer(self, key: ec.EllipticCurvePublicKey, *, count: int, head: bytes, signature: bytes) -> None:
        """Refuse an answer that is not about these frames, or not by this session's key.

        Raises:
            FrameChainMismatch: another number of frames or another chain head.
            FrameSignatureInvalid: the signature does not hold.
        """
        if count != len(self.digests) or not hmac.compare_digest(head, self.head):
            raise FrameChainMismatch("the answer is about other frames than those received")
        r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
        try:
            key.verify(encode_dss_signature(r, s), answer_message(self.nonce, head, count), ec.ECDSA(SHA256()))
        except InvalidSignature as error:
            raise FrameSignatureInvalid("the answer is not signed by the session's key") from error

    def _is_resent(self, frame: Frame) -> bool:
        return 0 <= frame.index < len(self.digests) and hmac.compare_digest(frame.sha256(), self.digests[frame.index])
