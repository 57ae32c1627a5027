"""Everything that `liveness` raises.

Owns:    the tree below and the codes. Leaves HTTP statuses to `service.problem_details`.
Rules:   refused means the data is bad; unavailable means an edge failed (cause chained). Messages are safe outside.

```
LivenessError
├── LivenessRefused                      the data is bad
│   ├── DocumentRefused                  document_malformed
│   │   ├── DocumentCheckDigit           document_check_digit
│   │   ├── DocumentHolderMismatch       document_holder_mismatch
│   │   ├── DocumentNotAccepted          document_not_accepted
│   │   └── DocumentExpired              document_expired
│   ├── CheckUnknown                     permit_check_unknown
│   │   ├── CheckExpired                 permit_check_expired
│   │   └── CheckClosed                  permit_check_closed
│   ├── StepOutOfOrder                   permit_step_out_of_order
│   ├── TooManyAttempts                  permit_attempts_exhausted
│   ├── RequestMalformed                 permit_request_malformed
│   ├── SessionRefused                   liveness_session_unknown
│   │   ├── SessionExpired               liveness_session_expired
│   │   └── SessionReplayed              liveness_session_replayed
│   ├── FrameRefused                     frame_malformed
│   │   ├── FrameTooLarge                frame_too_large
│   │   ├── TooManyFrames                frames_too_many
│   │   ├── FrameOutOfOrder              frame_out_of_order
│   │   └── FrameTimeRefused             frame_time_invalid
│   ├── FrameChainMismatch               frame_chain_mismatch
│   │   └── FrameSignatureInvalid        frame_signature_invalid
│   ├── CodeRefused                      permit_code_invalid
│   └── AttestationRefused               attestation_invalid
│       └── AttestationExpired           attestation_expired
├── ModelsRefused                        models_mismatch          the models folder is not what its manifest says
│   └── ModelsMissing                    models_missing
└── LivenessUnavailable                  liveness_unavailable
    ├── Busy                             liveness_busy
    ├── AuthorityUnavailable             permit_authority_unavailable
    ├── AuthorityUntrusted               permit_authority_untrusted
    └── ModelsNotBuilt                   models_not_built         the build's network or disk failed
```
"""


class LivenessError(Exception):
    """Root of the tree; `code` is stable and machine-readable."""

    code = "liveness_error"


class LivenessRefused(LivenessError):
    """The data is bad; trying the same again gives the same answer."""

    code = "liveness_refused"


class LivenessUnavailable(LivenessError):
    """An edge failed; the same request may work later."""

    code = "liveness_unavailable"


class DocumentRefused(LivenessRefused):
    """A document number or MRZ is not what its standard says.

    Attributes:
        field: which field or line, in the standard's word.
        position: 1-based character position inside the field, None when the field as a whole is wrong.
        found: what stands there (one character or a length), never the whole number.
        expected: what was expected there, in words or as the one right character.
    """

    code = "document_malformed"

    def __init__(
        self, message: str, *, field: str, position: int | None = None, found: str = "", expected: str = ""
    ) -> None:
        super().__init__(message)
        self.field = field
        self.position = position
        self.found = found
        self.expected = expected


class DocumentCheckDigit(DocumentRefused):
    """A check digit does not fit the characters that it covers."""

    code = "document_check_digit"


class DocumentHolderMismatch(DocumentRefused):
    """The document speaks of another person, or its number and MRZ of two documents."""

    code = "document_holder_mismatch"


class DocumentNotAccepted(DocumentRefused):
    """A well-formed document of a type that this check does not take."""

    code = "document_not_accepted"


class DocumentExpired(DocumentRefused):
    """The document's validity has ended."""

    code = "document_expired"


class CheckUnknown(LivenessRefused):
    """No such permit check."""

    code = "permit_check_unknown"


class CheckExpired(CheckUnknown):
    """The permit check's time is over."""

    code = "permit_check_expired"


class CheckClosed(CheckUnknown):
    """The permit check has already ended."""

    code = "permit_check_closed"


class StepOutOfOrder(LivenessRefused):
    """A step was called before the one it depends on."""

    code = "permit_step_out_of_order"


class TooManyAttempts(LivenessRefused):
    """No attempt is left in this permit check."""

    code = "permit_attempts_exhausted"


class RequestMalformed(LivenessRefused):
    """The request's body is not what the interface says."""

    code = "permit_request_malformed"


class SessionRefused(LivenessRefused):
    """No such liveness session."""

    code = "liveness_session_unknown"


class SessionExpired(SessionRefused):
    """The liveness session's time is over."""

    code = "liveness_session_expired"


class SessionReplayed(SessionRefused):
    """The session was answered before, or its frames were."""

    code = "liveness_session_replayed"


class FrameRefused(LivenessRefused):
    """A frame is not a plain JPEG photograph."""

    code = "frame_malformed"


class FrameTooLarge(FrameRefused):
    """A frame, or its picture once decoded, is over the limit."""

    code = "frame_too_large"


class TooManyFrames(FrameRefused):
    """More frames than the session allows."""

    code = "frames_too_many"


class FrameOutOfOrder(FrameRefused):
    """A frame's index is not the next one."""

    code = "frame_out_of_order"


class FrameTimeRefused(FrameRefused):
    """A frame's time runs backwards, or ahead of its arrival."""

    code = "frame_time_invalid"


class FrameChainMismatch(LivenessRefused):
    """The answer speaks of other frames than those received."""

    code = "frame_chain_mismatch"


class FrameSignatureInvalid(FrameChainMismatch):
    """The answer is not signed by the session's key."""

    code = "frame_signature_invalid"


class CodeRefused(LivenessRefused):
    """The one-time code is unknown, used or expired."""

    code = "permit_code_invalid"


class AttestationRefused(LivenessRefused):
    """The permit attestation cannot be accepted."""

    code = "attestation_invalid"


class AttestationExpired(AttestationRefused):
    """The permit attestation's time is over."""

    code = "attestation_expired"


class ModelsRefused(LivenessError):
    """The models folder is not what its manifest says; the process must not start."""

    code = "models_mismatch"


class ModelsMissing(ModelsRefused):
    """There is no models folder, or it has no manifest."""

    code = "models_missing"


class Busy(LivenessUnavailable):
    """All workers and the queue are full.

    Attributes:
        retry_after_s: seconds after which to try again (RFC 9110 section 10.2.3).
    """

    code = "liveness_busy"

    def __init__(self, message: str, *, retry_after_s: int = 1) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class AuthorityUnavailable(LivenessUnavailable):
    """The permit authority could not be reached or did not answer in time."""

    code = "permit_authority_unavailable"


class AuthorityUntrusted(LivenessUnavailable):
    """The permit authority's answer is not signed as it must be."""

    code = "permit_authority_untrusted"


class ModelsNotBuilt(LivenessUnavailable):
    """The models folder could not be built: network, disk or a package that is not the pinned one."""

    code = "models_not_built"
