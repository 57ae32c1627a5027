"""The challenge and the frames' chain."""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

from liveness.config import FrameLimits
from liveness.errors import FrameChainMismatch, LivenessError, RequestMalformed
from liveness.frame_chain import FrameChain, answer_message, decode_base64url, parse_session_key
from liveness.frames import Frame
from liveness.model import Action
from liveness.session import build_challenge
from tests.support.liveness_pictures import jpeg

AT = datetime(2026, 11, 24, tzinfo=UTC)
NONCE = "A" * 43


def challenge(nonce: str):
    return build_challenge(nonce, at=AT, lifetime=timedelta(seconds=60))


def test_a_nonce_decides_everything() -> None:
    assert challenge(NONCE) == challenge(NONCE)


def test_every_order_asks_three_different_actions_and_a_turn() -> None:
    orders = {challenge(secrets.token_urlsafe(32)).actions for _ in range(1500)}
    assert len(orders) == 54
    assert all(len(set(order)) == 3 and {Action.TURN_LEFT, Action.TURN_RIGHT} & set(order) for order in orders)


def test_neighbouring_colours_differ() -> None:
    for _ in range(100):
        colours = challenge(secrets.token_urlsafe(32)).colours
        assert all(a is not b for a, b in pairwise(colours))


def test_another_nonce_length_is_a_bug() -> None:
    with pytest.raises(ValueError, match="43"):
        challenge("short")


def frames(count: int, first: int = 0) -> list[Frame]:
    return [Frame(n, 100 + n * 140, jpeg(n)) for n in range(first, first + count)]


def chain() -> FrameChain:
    return FrameChain(NONCE, FrameLimits(), 750)


def signed(key: ec.EllipticCurvePrivateKey, message: bytes) -> bytes:
    r, s = utils.decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256())))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def test_the_chain_is_the_documented_one() -> None:
    received = chain()
    received.extend(received.accept(frames(2), elapsed_ms=1000))
    head = hashlib.sha256(NONCE.encode()).digest()
    for frame in frames(2):
        link = head + frame.index.to_bytes(4, "big") + frame.t_ms.to_bytes(4, "big")
        head = hashlib.sha256(link + hashlib.sha256(frame.jpeg).digest()).digest()
    assert received.head == head


def test_a_good_answer() -> None:
    key, received = ec.generate_private_key(ec.SECP256R1()), chain()
    received.extend(frames(3))
    signature = signed(key, answer_message(NONCE, received.head, 3))
    received.verify_answer(key.public_key(), count=3, head=received.head, signature=signature)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"count": 2}, "frame_chain_mismatch"),
        ({"head": bytes(32)}, "frame_chain_mismatch"),
        ({"signature": bytes(64)}, "frame_signature_invalid"),
        ({"signature": b"\xff" * 64}, "frame_signature_invalid"),
    ],
)
def test_a_bad_answer(change: dict[str, object], code: str) -> None:
    key, received = ec.generate_private_key(ec.SECP256R1()), chain()
    received.extend(frames(3))
    good = {"count": 3, "head": received.head, "signature": signed(key, answer_message(NONCE, received.head, 3))}
    with pytest.raises(FrameChainMismatch) as refusal:
        received.verify_answer(key.public_key(), **{**good, **change})
    assert refusal.value.code == code


def test_a_batch_sent_again_falls_away() -> None:
    received = chain()
    received.extend(received.accept(frames(3), elapsed_ms=1000))
    assert received.accept(frames(3), elapsed_ms=1000) == []
    assert [frame.index for frame in received.accept(frames(5), elapsed_ms=1000)] == [3, 4]


@pytest.mark.parametrize(
    ("batch", "elapsed_ms", "code"),
    [
        (frames(2, first=1), 1000, "frame_out_of_order"),
        ([Frame(0, 100, jpeg(0)), Frame(1, 100, jpeg(1))], 1000, "frame_time_invalid"),
        ([Frame(0, 5000, jpeg(0))], 1000, "frame_time_invalid"),
        (frames(17), 9000, "frames_too_many"),
        ([Frame(0, 1, b"\xff\xd8\xff" + bytes(200_000) + b"\xff\xd9")], 1000, "frame_too_large"),
        ([Frame(0, 1, b"GIF89a")], 1000, "frame_malformed"),
    ],
)
def test_frames_that_are_not_taken(batch: list[Frame], elapsed_ms: int, code: str) -> None:
    with pytest.raises(LivenessError) as refusal:
        chain().accept(batch, elapsed_ms=elapsed_ms)
    assert refusal.value.code == code


def test_a_frame_changed_after_the_fact_is_out_of_order() -> None:
    received = chain()
    received.extend(received.accept(frames(2), elapsed_ms=1000))
    with pytest.raises(LivenessError) as refusal:
        received.accept([Frame(0, 100, jpeg(99))], elapsed_ms=1000)
    assert refusal.value.code == "frame_out_of_order"


def test_a_session_has_a_most_of_frames() -> None:
    received = FrameChain(NONCE, FrameLimits(max_frames=4, min_frames=2), 750)
    received.extend(received.accept(frames(4), elapsed_ms=1000))
    with pytest.raises(LivenessError) as refusal:
        received.accept(frames(1, first=4), elapsed_ms=2000)
    assert refusal.value.code == "frames_too_many"


GOOD_JWK = {
    "kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
}  # fmt: skip


def test_the_session_key_of_rfc_7515() -> None:
    assert parse_session_key(GOOD_JWK).key_size == 256


@pytest.mark.parametrize(
    "change",
    [{"kty": "RSA"}, {"crv": "P-384"}, {"x": "AA"}, {"y": GOOD_JWK["x"]}, {"d": "AA"}, {"x": 5}, {"x": "é" * 43}],
)
def test_other_keys_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(RequestMalformed):
        parse_session_key({**GOOD_JWK, **change})


def test_base64url_is_strict() -> None:
    for text in ("AA==", "A+A", "", "A"):
        with pytest.raises(RequestMalformed):
            decode_base64url(text, length=1)
