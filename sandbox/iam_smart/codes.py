"""The return codes as this simulator speaks them: `D` and five digits.

Owns:    the texts, `CallRefused`, and where in a flow each code shows itself (for injected codes).
Spec:    fact sheet upstreams.md §1.5; the codes below 8 that no public client has seen as `D` are *assumed* from the `M` table.
"""

from enum import Enum

OK = "D00000"

MESSAGES = {
    "D00000": "SUCCESS",
    "D20000": "UNKNOWN ERROR",
    "D20001": "PARAMETER MISSING",
    "D20002": "EMPTY PARAMETER",
    "D20003": "INVALID PARAMETER",
    "D20004": "DUPLICATED REQUEST",
    "D20005": "UNSUPPORTED SIGNATURE METHOD",
    "D20006": "SIGNATURE VERIFICATION FAILED",
    "D20007": "UNSUPPORTED SOURCE",
    "D20008": "CALLBACK URL NOT REGISTERED",
    "D20009": "ACCESS TOKEN DOES NOT EXIST OR EXPIRED",
    "D20010": "OPENID DOES NOT EXIST",
    "D20011": "DUPLICATED BUSINESS ID",
    "D20012": "INSUFFICIENT PERMISSION",
    "D20015": "SCOPE MISMATCH",
    "D20102": "UNKNOWN CLIENT",
    "D30001": "KEK MISSING OR EXPIRED",
    "D30002": "CEK MISSING OR EXPIRED",
    "D30003": "ENCRYPTION EXCEPTION",
    "D30004": "DECRYPTION EXCEPTION",
    "D40000": "USER CANCELLED THE AUTHENTICATION",
    "D40001": "USER REJECTED THE AUTHENTICATION",
    "D40002": "FAILED TO AUTHENTICATE",
    "D40003": "AUTHENTICATION TIMEOUT",
    "D40004": "AUTH CODE DOES NOT EXIST OR EXPIRED",
    "D50001": "USER REJECTED THE PROFILE REQUEST",
    "D50002": "PROFILE REQUEST FAILED",
    "D50003": "PROFILE REQUEST TIMEOUT",
    "D60000": "USER CANCELLED FORM FILLING",
    "D60001": "USER REJECTED FORM FILLING",
    "D60002": "FORM FILLING FAILED",
    "D60003": "FORM FILLING TIMEOUT",
    "D70000": "USER CANCELLED SIGNING",
    "D70001": "USER REJECTED SIGNING",
    "D70002": "SIGNING FAILED",
    "D70003": "SIGNING TIMEOUT",
    "D70004": "NOT ALLOWED TO SIGN",
    "D70005": "INCONSISTENT HKIC",
    "D70006": "SIGNING ACKNOWLEDGEMENT FAILED",
    "D71002": "BULK SIGNING FAILED",
    "D77000": "SIGN FAILED",
    "D77001": "FACE RECOGNITION FAILED",
    "D77002": "NFC FAILED",
    "D77003": "DEVICE WITHOUT NFC",
    "D77004": "WAITING PERIOD NOT OVER",
    "D80001": "USER REJECTED RE-AUTHENTICATION",
    "D80002": "RE-AUTHENTICATION FAILED",
    "D80003": "RE-AUTHENTICATION TIMEOUT",
}


class CallRefused(Exception):
    """A call that is answered with a code other than success."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Place(Enum):
    """Where in a flow an injected code is given to the relying party."""

    FRONT_CHANNEL = "error_code on the redirect back"
    REPLY = "reply to the call"
    PROFILE_CALLBACK = "profile callback"
    SIGNING_REPLY = "reply to the signing request"
    SIGNING_CALLBACK = "signing callback"


_PLACES = {
    "D40004": Place.REPLY,
    "D70004": Place.SIGNING_REPLY,
    "D70005": Place.SIGNING_REPLY,
    "D4": Place.FRONT_CHANNEL,
    "D5": Place.PROFILE_CALLBACK,
    "D7": Place.SIGNING_CALLBACK,
}


def place_of(code: str) -> Place:
    """Return where a real service would give this code; what no flow of ours owns is given in the reply."""
    return next((place for prefix, place in _PLACES.items() if code.startswith(prefix)), Place.REPLY)
