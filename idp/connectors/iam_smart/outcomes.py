"""How a settled request's outcome, one word in the store, becomes an error again.

Owns:    `error_for_outcome`. Leaves the words to `codes` and `errors`.
"""

from idp.connectors.iam_smart.codes import error_for, is_return_code
from idp.connectors.iam_smart.errors import ClockSkewed, ContentMalformed, SignatureMismatch, SignerCertificateChanged
from idp.errors import UpstreamError, UpstreamRefused

_OURS: dict[str, type[UpstreamError]] = {
    error.code: error for error in (ClockSkewed, ContentMalformed, SignatureMismatch, SignerCertificateChanged)
}


def error_for_outcome(outcome: str) -> UpstreamError:
    """Return the error for an upstream return code or for one of our own codes."""
    if is_return_code(outcome):
        return error_for(outcome)
    return _OURS.get(outcome, UpstreamRefused)()
