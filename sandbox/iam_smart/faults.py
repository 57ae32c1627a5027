"""The faults that this simulator can inject, by the names that `GET /faults` lists.

Owns:    the catalogue and `CONNECTOR`. Leaves the switch to `sandbox.state`, and each effect to the place where it shows itself.
"""

from sandbox.iam_smart.codes import MESSAGES
from sandbox.state import FaultCatalogue, SandboxState

CONNECTOR = "iam_smart"

WRONG_SIGNATURE = "wrong_signature"
EXPIRED_CEK = "expired_cek"
LATE_CODE = "late_code"
DENIAL_STATE_ONLY = "denial_state_only"
CALLBACK_NEW_CEK = "callback_new_cek"
DUPLICATED_CALLBACK = "duplicated_callback"
SLOW = "slow"
DEAD = "dead"
WRONG_ENCODING = "wrong_encoding"
CLOCK_SKEW = "clock_skew"

CATALOGUE = FaultCatalogue(
    names={
        WRONG_SIGNATURE: "the signing callback carries a signature over another digest",
        EXPIRED_CEK: "the content key of a call is refused as expired (D30002)",
        LATE_CODE: "the authorization code is refused as expired (D40004), as after 30 seconds",
        DENIAL_STATE_ONLY: "the person declines and only `state` comes back, with neither code nor error_code",
        CALLBACK_NEW_CEK: "the callback is under a content key that the relying party has never seen",
        DUPLICATED_CALLBACK: "every callback is delivered twice",
        SLOW: "every answer comes later than any client waits",
        DEAD: "every address answers 503",
        WRONG_ENCODING: "the encrypted content of replies and callbacks is UTF-16 and not UTF-8",
        CLOCK_SKEW: "the upstream's clock is two days behind",
    },
    patterns={"code:(" + "|".join(sorted(set(MESSAGES) - {"D00000"})) + ")": "the flow ends with this return code"},
)


def injected_code(state: SandboxState) -> str | None:
    """Return the return code that is injected now, or None."""
    fault = state.fault(CONNECTOR)
    return fault.name.removeprefix("code:") if fault is not None and fault.name.startswith("code:") else None
