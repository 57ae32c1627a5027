"""Step 3: the permit and the living holder, as the citizen's browser would show them.

Owns:    typing the document, answering the challenge with a clip made now, the frame chain and its signature.
Leaves:  every judgement to the service.
"""

import asyncio
import base64
import hashlib
import json
import struct
import time
from collections.abc import Sequence
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from joserfc.jwk import ECKey

from sandbox.clips import genuine, still_photo
from sandbox.errand.browser import Page
from sandbox.errand.context import Errand, StepResult, text
from sandbox.errors import ErrandFailed
from sandbox.mrz import mainland_travel_permit_mrz
from sandbox.portraits import portrait

BATCH = 8
COORDINATE_BYTES = 32
Frame = tuple[int, bytes]
"""Milliseconds (of the clip, later of the session), JPEG."""


class SessionKey:
    """The key that a browser makes for one liveness session (WebCrypto ECDSA P-256)."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())

    def public_jwk(self) -> dict[str, object]:
        """Return the public JWK."""
        return dict(ECKey.import_key(self._key.public_key()).as_dict(private=False))

    def sign(self, data: bytes) -> bytes:
        """Return the raw r ‖ s that WebCrypto gives."""
        r, s = utils.decode_dss_signature(self._key.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(COORDINATE_BYTES, "big") + s.to_bytes(COORDINATE_BYTES, "big")


async def show_permit(errand: Errand, page: Page) -> tuple[StepResult, str]:
    """Show the permit and the face; return the line and the address where the browser goes on.

    Raises:
        ErrandFailed: with the reason of the refusal.
    """
    check = parse_qs(urlsplit(page.url).query)["check"][0]
    api = f"{errand.at.service}/api/v1/permits"
    persona = errand.citizen
    mrz = mainland_travel_permit_mrz(persona)
    await errand.send("POST", f"{api}/checks/{check}/document", {"number": persona.permit_number, "mrz": list(mrz)})
    key = SessionKey()
    challenge = await errand.send("POST", f"{api}/checks/{check}/liveness", {"public_key": key.public_jwk()})
    given = time.monotonic()
    clip = await asyncio.to_thread(capture, errand, challenge)
    first_ms = int((time.monotonic() - given) * 1000)
    frames = [(first_ms + t_ms, jpeg) for t_ms, jpeg in clip]
    answer = await send_frames(errand, api, challenge, frames, key, given=given)
    if errand.tamper == "replayed-liveness":
        await send_frames(errand, api, challenge, frames, key, given=given)
    if answer.get("decision") != "pass":
        reasons = [str(reason) for reason in _list(answer, "reasons")]
        raise ErrandFailed(_main_reason(reasons), f"liveness decided {answer.get('decision')}: {', '.join(reasons)}")
    errand.facts["permit"] = {"actions": challenge["actions"], "frames": len(frames), "decision": "pass"}
    proven = (
        f"the holder of permit {persona.permit_number[:2] if persona.permit_number else ''}******* is alive and here: "
        f"{', '.join(str(action) for action in _list(challenge, 'actions'))} in {len(frames)} frames; "
        "face equals the authority's portrait"
    )
    return StepResult(3, "permit and living holder", proven, "permit attestation (JWT, ES256)"), text(answer, "next")


def capture(errand: Errand, challenge: dict[str, object]) -> Sequence[Frame]:
    """Return the clip that this citizen's camera gives for the challenge."""
    actions = [str(action) for action in _list(challenge, "actions")]
    seed = int.from_bytes(hashlib.sha256(text(challenge, "nonce").encode()).digest()[:4], "big")
    if errand.tamper == "still-photo":
        return still_photo(portrait(errand.citizen.portrait), actions, seed)
    face = "synthetic-a" if errand.tamper == "other-face" else errand.citizen.portrait
    return genuine(portrait(face), actions, seed)


async def send_frames(
    errand: Errand, api: str, challenge: dict[str, object], frames: Sequence[Frame], key: SessionKey, *, given: float
) -> dict[str, object]:
    """Send the frames in batches as they are taken, then the signed end of their chain; return the verdict."""
    session, nonce = text(challenge, "session"), text(challenge, "nonce")
    chain = hashlib.sha256(nonce.encode()).digest()
    for index, (t_ms, jpeg) in enumerate(frames):
        chain = hashlib.sha256(chain + struct.pack(">II", index, t_ms) + hashlib.sha256(jpeg).digest()).digest()
    for start in range(0, len(frames), BATCH):
        batch = [
            {"index": start + offset, "t_ms": t_ms, "jpeg": base64.b64encode(jpeg).decode()}
            for offset, (t_ms, jpeg) in enumerate(frames[start : start + BATCH])
        ]
        await asyncio.sleep(max(0.0, given + frames[start : start + BATCH][-1][0] / 1000 - time.monotonic()))
        await errand.send("POST", f"{api}/liveness/{session}/frames", {"frames": batch})
    signature = key.sign(nonce.encode() + chain + struct.pack(">I", len(frames)))
    return await errand.send(
        "POST",
        f"{api}/liveness/{session}/answer",
        {
            "frame_count": len(frames),
            "chain_head": chain.hex(),
            "signature": base64.urlsafe_b64encode(signature).rstrip(b"=").decode(),
        },
    )


def _list(members: dict[str, object], name: str) -> list[object]:
    value = members.get(name)
    if not isinstance(value, list):
        raise ErrandFailed("unexpected_answer", f"{name} is missing in {json.dumps(sorted(members))}")
    return value


def _main_reason(reasons: list[str]) -> str:
    """Return the reason that names the attack, when several were found."""
    for known in ("face_mismatch", "planar_face", "challenge_not_performed"):
        if known in reasons:
            return known
    return reasons[0] if reasons else "liveness_refused"
