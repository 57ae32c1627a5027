"""What can be wrong on the iAM Smart wire, under the broker's own upstream errors.

Owns:    the refinements that a log, a test or a portal's support wants to tell apart. Leaves the roots to `idp.errors`.

    UpstreamNotGenuine
    ├── StateMismatch              upstream_state_mismatch        the browser's return belongs to another login
    ├── ReturnMalformed            upstream_return_malformed      the browser's return cannot be read
    ├── EnvelopeMalformed          upstream_envelope_malformed    not an envelope, or not under the key
    ├── ContentMalformed           upstream_content_malformed     opened, but not of the shape that was asked for
    ├── CallbackUnknown            upstream_callback_unknown      no request of ours waits for this callback
    ├── CallbackConflict           upstream_callback_conflict     the request was answered before, and differently
    ├── SignatureMismatch          upstream_signature_invalid     not a signature over our digest
    └── SignerCertificateChanged   signer_certificate_changed     signed with another certificate than was promised
    UpstreamRefused
    ├── CallerRefused              upstream_caller_refused        the callback's sender has not shown the agreed certificate
    ├── RequestNotTaken            upstream_request_refused       the upstream does not take our request
    ├── CredentialsRefused         upstream_credentials_refused   the upstream does not know our client or its signature
    ├── AuthenticationFailed       upstream_authentication_failed
    └── SessionEnded               upstream_session_ended         the access token is no longer worth anything
    UpstreamAccountRefused
    ├── HolderMismatch             upstream_holder_mismatch       the identity card hash is not this holder's
    ├── NoSigningCertificate       signer_certificate_not_found
    └── AmbiguousCertificate       signer_certificate_ambiguous
    UpstreamUnavailable
    ├── UpstreamTooSlow            upstream_too_slow
    ├── ContentKeyRefused          upstream_content_key_refused   x30001 to x30004 also after a new key
    ├── ClockSkewed                upstream_clock_skew            the two clocks are too far apart
    └── AcknowledgementFailed      upstream_acknowledgement_failed
"""

from idp.errors import UpstreamAccountRefused, UpstreamNotGenuine, UpstreamRefused, UpstreamUnavailable


class StateMismatch(UpstreamNotGenuine):
    """The return from iAM Smart does not belong to this login."""

    code = "upstream_state_mismatch"


class ReturnMalformed(UpstreamNotGenuine):
    """The return from iAM Smart cannot be read."""

    code = "upstream_return_malformed"


class EnvelopeMalformed(UpstreamNotGenuine):
    """A message from iAM Smart cannot be opened."""

    code = "upstream_envelope_malformed"


class ContentMalformed(UpstreamNotGenuine):
    """A message from iAM Smart does not have the agreed shape."""

    code = "upstream_content_malformed"


class CallbackUnknown(UpstreamNotGenuine):
    """No request waits for this callback."""

    code = "upstream_callback_unknown"


class CallbackConflict(UpstreamNotGenuine):
    """This request was already answered, and differently."""

    code = "upstream_callback_conflict"


class SignatureMismatch(UpstreamNotGenuine):
    """The signature from iAM Smart does not verify over our digest."""

    code = "upstream_signature_invalid"


class SignerCertificateChanged(UpstreamNotGenuine):
    """The signature was made with another certificate than the one prepared for; start the signing again."""

    code = "signer_certificate_changed"


class CallerRefused(UpstreamRefused):
    """The sender of this callback has not shown the agreed client certificate."""

    code = "upstream_caller_refused"


class RequestNotTaken(UpstreamRefused):
    """iAM Smart does not take our request."""

    code = "upstream_request_refused"


class CredentialsRefused(UpstreamRefused):
    """iAM Smart does not accept our credentials."""

    code = "upstream_credentials_refused"


class AuthenticationFailed(UpstreamRefused):
    """The person could not be authenticated at iAM Smart."""

    code = "upstream_authentication_failed"


class SessionEnded(UpstreamRefused):
    """The session at iAM Smart has ended; sign in again."""

    code = "upstream_session_ended"


class HolderMismatch(UpstreamAccountRefused):
    """The account at iAM Smart belongs to another identity card."""

    code = "upstream_holder_mismatch"


class NoSigningCertificate(UpstreamAccountRefused):
    """No signing certificate of this person can be found."""

    code = "signer_certificate_not_found"


class AmbiguousCertificate(UpstreamAccountRefused):
    """The signing certificate cannot be told from another person's of the same name."""

    code = "signer_certificate_ambiguous"


class UpstreamTooSlow(UpstreamUnavailable):
    """iAM Smart does not answer in time."""

    code = "upstream_too_slow"


class ContentKeyRefused(UpstreamUnavailable):
    """iAM Smart and this service do not share a content key now."""

    code = "upstream_content_key_refused"


class ClockSkewed(UpstreamUnavailable):
    """The clock of iAM Smart and ours are too far apart."""

    code = "upstream_clock_skew"


class AcknowledgementFailed(UpstreamUnavailable):
    """iAM Smart did not take the acknowledgement of a signature."""

    code = "upstream_acknowledgement_failed"
