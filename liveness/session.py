"""The challenge: what a session asks, derived from its one-use nonce.

Owns:    nonce, order of actions, colour sequence, lifetime. Leaves the frames' chain to `frame_chain`, use-once to `store`.
Rules:   1 three different actions of five in an order that the nonce alone decides; at least one is a turn of the head, because
           depth shows only there (54 orders of 60)
         2 no two neighbouring colours are alike
         3 pure: randomness comes in
Spec:    ISO/IEC 30107-1 (challenge-response); AWS and Tencent publish the same idea (random order given by the server)
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import permutations

from liveness.model import Action, Colour

NONCE_BYTES = 32
NONCE_CHARACTERS = 43
ACTIONS = 3
COLOURS = 6
_TURNS = {Action.TURN_LEFT, Action.TURN_RIGHT}
_ORDERS = tuple(order for order in permutations(Action, ACTIONS) if _TURNS & set(order))


@dataclass(frozen=True, slots=True)
class Challenge:
    """What one session asks of its citizen."""

    nonce: str
    """32 random bytes in base64url; everything is derived from, and signed over, this text."""
    actions: tuple[Action, ...]
    colours: tuple[Colour, ...]
    given_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class StartedSession:
    """A liveness session as the page sees it."""

    session: str
    challenge: Challenge
    expires_in_s: int
    max_frames: int
    max_batch_frames: int
    attempts_left: int


@dataclass(frozen=True, slots=True)
class Progress:
    """What has come so far."""

    received: int
    performed: int
    """How many of the asked actions were seen, in order."""


def build_challenge(nonce: str, *, at: datetime, lifetime: timedelta) -> Challenge:
    """Return the challenge of a nonce.

    Args:
        nonce: 32 random bytes in base64url, used once.
        at: the moment it is given out.
        lifetime: how long it may be answered.
    """
    if len(nonce) != NONCE_CHARACTERS:
        raise ValueError(f"a nonce has {NONCE_CHARACTERS} characters")
    order = int.from_bytes(hashlib.sha256(b"actions" + nonce.encode()).digest(), "big") % len(_ORDERS)
    return Challenge(nonce, _ORDERS[order], derive_colours(nonce), at, at + lifetime)


def derive_colours(nonce: str) -> tuple[Colour, ...]:
    """Return the colours that the page shows, one after the other."""
    palette = tuple(Colour)
    colours: list[Colour] = []
    for byte in hashlib.sha256(b"colours" + nonce.encode()).digest()[:COLOURS]:
        choice: Sequence[Colour] = [colour for colour in palette if not colours or colour is not colours[-1]]
        colours.append(choice[byte % len(choice)])
    return tuple(colours)
