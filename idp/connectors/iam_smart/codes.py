"""Every return code of iAM Smart, and what it means to us.

Owns:    the table and `error_for`. Leaves the words of the errors to `errors` and `idp.errors`.
Rules:   1 only x00000 is success; a code that is not in the table is a refusal
         2 `D` (iAM Smart) and `M` (CorpID, same operator) are read alike; rows that no public client has seen as `D` are *assumed*
Spec:    fact sheet upstreams.md §1.5.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from idp.connectors.iam_smart.errors import (
    AcknowledgementFailed,
    AuthenticationFailed,
    ContentKeyRefused,
    CredentialsRefused,
    HolderMismatch,
    RequestNotTaken,
    SessionEnded,
)
from idp.errors import (
    UpstreamAccountRefused,
    UpstreamCodeRefused,
    UpstreamDenied,
    UpstreamError,
    UpstreamRefused,
    UpstreamTimedOut,
    UpstreamUnavailable,
)

_SHAPE = re.compile(r"[DM][0-9]{5}")


@dataclass(frozen=True, slots=True)
class ReturnCode:
    """One row: the five digits' meaning, and the error that we make of it."""

    meaning: str
    error: type[UpstreamError]


RETURN_CODES: Mapping[str, ReturnCode] = {
    "20000": ReturnCode("unknown error", UpstreamUnavailable),
    "20001": ReturnCode("parameter missing", RequestNotTaken),
    "20002": ReturnCode("empty parameter", RequestNotTaken),
    "20003": ReturnCode("invalid parameter", RequestNotTaken),
    "20004": ReturnCode("duplicated request", RequestNotTaken),
    "20005": ReturnCode("unsupported signature method", RequestNotTaken),
    "20006": ReturnCode("signature verification failed", CredentialsRefused),
    "20007": ReturnCode("unsupported source", RequestNotTaken),
    "20008": ReturnCode("callback URL not registered", RequestNotTaken),
    "20009": ReturnCode("access token does not exist or expired", SessionEnded),
    "20010": ReturnCode("openID does not exist", SessionEnded),
    "20011": ReturnCode("duplicated business id", RequestNotTaken),
    "20012": ReturnCode("insufficient permission", RequestNotTaken),
    "20015": ReturnCode("scope mismatch", RequestNotTaken),
    "20102": ReturnCode("client not accepted (seen in one client, meaning assumed)", CredentialsRefused),
    "30001": ReturnCode("KEK missing or expired", ContentKeyRefused),
    "30002": ReturnCode("CEK missing or expired", ContentKeyRefused),
    "30003": ReturnCode("encryption exception", ContentKeyRefused),
    "30004": ReturnCode("decryption exception", ContentKeyRefused),
    "40000": ReturnCode("the person cancelled the authentication", UpstreamDenied),
    "40001": ReturnCode("the person rejected the authentication", UpstreamDenied),
    "40002": ReturnCode("failed to authenticate", AuthenticationFailed),
    "40003": ReturnCode("authentication timeout", UpstreamTimedOut),
    "40004": ReturnCode("authorization code does not exist or expired", UpstreamCodeRefused),
    "50001": ReturnCode("the person rejected the profile request", UpstreamDenied),
    "50002": ReturnCode("profile request failed", UpstreamUnavailable),
    "50003": ReturnCode("profile request timeout", UpstreamTimedOut),
    "60000": ReturnCode("the person cancelled form filling", UpstreamDenied),
    "60001": ReturnCode("the person rejected form filling", UpstreamDenied),
    "60002": ReturnCode("form filling failed", UpstreamUnavailable),
    "60003": ReturnCode("form filling timeout", UpstreamTimedOut),
    "70000": ReturnCode("the person cancelled signing", UpstreamDenied),
    "70001": ReturnCode("the person rejected signing", UpstreamDenied),
    "70002": ReturnCode("signing failed", UpstreamUnavailable),
    "70003": ReturnCode("signing timeout", UpstreamTimedOut),
    "70004": ReturnCode("not allowed to sign", UpstreamAccountRefused),
    "70005": ReturnCode("inconsistent HKIC", HolderMismatch),
    "70006": ReturnCode("signing acknowledgement failed", AcknowledgementFailed),
    **{f"7100{digit}": ReturnCode("bulk signing", UpstreamRefused) for digit in range(10)},
    "77000": ReturnCode("sign failed", UpstreamUnavailable),
    "77001": ReturnCode("face recognition failed", AuthenticationFailed),
    "77002": ReturnCode("NFC reading failed", AuthenticationFailed),
    "77003": ReturnCode("device without NFC", UpstreamAccountRefused),
    "77004": ReturnCode("waiting period not over", UpstreamAccountRefused),
    "80001": ReturnCode("the person rejected re-authentication", UpstreamDenied),
    "80002": ReturnCode("re-authentication failed", AuthenticationFailed),
    "80003": ReturnCode("re-authentication timeout", UpstreamTimedOut),
}


def is_return_code(code: str) -> bool:
    """Tell whether the text has the shape of a return code."""
    return _SHAPE.fullmatch(code) is not None


def is_success(code: str) -> bool:
    """Tell whether this is the code of success."""
    return is_return_code(code) and code[1:] == "00000"


def error_for(code: str) -> UpstreamError:
    """Return our error for a return code other than success; one that is unknown is a plain refusal."""
    row = RETURN_CODES.get(code[1:]) if is_return_code(code) else None
    if row is None:
        return UpstreamRefused("iAM Smart refused", upstream_code=code if is_return_code(code) else "")
    return row.error(upstream_code=code)
