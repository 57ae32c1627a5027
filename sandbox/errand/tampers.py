"""The faults that the errand can inject, and the error in which each must end.

A fault is injected where an attacker would: at the list's source, in the portal, at the camera, in the document, at the CA.
"""

from dataclasses import dataclass

from sandbox.errors import SandboxRefused


@dataclass(frozen=True, slots=True)
class Tamper:
    """One fault."""

    name: str
    what: str
    step: int
    codes: tuple[str, ...]
    """The errors that count as refused; anything else means the fault was not noticed."""


TAMPERS: dict[str, Tamper] = {
    tamper.name: tamper
    for tamper in (
        Tamper("expired-list", "the list's source serves a list whose validity has passed", 1, ("list_expired", "list_frozen")),
        Tamper("rolled-back-list", "the list's source serves an older version again", 1, ("list_rollback",)),
        Tamper("one-region-list", "a new list carries the signature of one region only", 1, ("list_threshold_not_met",)),
        Tamper("replayed-code", "the authorization code is redeemed twice", 4, ("invalid_grant",)),
        Tamper("wrong-pkce", "the code is redeemed with another PKCE verifier", 4, ("invalid_grant",)),
        Tamper("other-face", "another person answers the liveness challenge", 3, ("face_mismatch",)),
        Tamper("replayed-liveness", "an answered liveness session is answered again", 3, ("liveness_session_replayed",)),
        Tamper("still-photo", "a photo is held before the camera", 3, ("planar_face", "challenge_not_performed")),
        Tamper("altered-pdf", "one byte of the signed document is changed", 6, ("HASH_FAILURE",)),
        Tamper("revoked-signer", "the citizen's certificate is revoked before the signature is made", 5,
               ("REVOKED", "REVOKED_NO_POE")),
    )
}  # fmt: skip


def find_tamper(name: str) -> Tamper:
    """Return a fault by name.

    Raises:
        SandboxRefused: there is none of this name.
    """
    tamper = TAMPERS.get(name)
    if tamper is None:
        raise SandboxRefused(f"no fault {name!r}: `gba-trust errand --tamper list` shows them")
    return tamper
