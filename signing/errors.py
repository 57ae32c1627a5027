"""What can go wrong in signing and judging.

Owns:    the error tree of the package. Leaves HTTP to `service.problem_details`, verdicts to `model`.
Rules:   a code is the field's own word where there is one (EN 319 102-1 sub-indications, `tsa_unavailable`); the text may be shown.

    SigningError
    ├── SigningRefused                          the data or the request is bad
    │   ├── DocumentRefused                     document_malformed   not a PDF that we sign or read
    │   │   ├── DocumentTooLarge                document_too_large
    │   │   └── DocumentEncrypted               document_encrypted
    │   ├── EngineRefused                       engine_unsuitable    this PDF engine must not touch this document
    │   ├── KeyRefused                          key_refused          key file, password, or kind of key
    │   ├── CmsMalformed                        FORMAT_FAILURE       not a CMS SignedData of the profile
    │   ├── SignatureRejected                   (sub-indication)     our own validation does not pass what was made
    │   ├── RemoteRefused                       (upstream's reason)  the citizen or the upstream refused to sign
    │   ├── TransactionUnknown                  transaction_not_found
    │   ├── TransactionState                    transaction_state    not possible in this state
    │   ├── TransactionExpired                  transaction_expired
    │   ├── RequestRefused                      invalid_request      a field of the request is missing or nonsense
    │   └── AccessRefused                       access_refused       the caller may not do this
    └── SigningUnavailable                      an edge failed; trying again may help
        ├── TsaUnavailable                      tsa_unavailable
        ├── RemoteSignerUnavailable             remote_signer_unavailable
        ├── TransactionBusy                     transaction_busy     another process is at work on it
        └── WorkerUnavailable                   validation_limit     the limited process ended without a verdict
"""

from typing import ClassVar


class SigningError(Exception):
    """Root of this package's errors."""

    code: ClassVar[str] = "signing_error"


class SigningRefused(SigningError):
    """The data or the request is bad."""

    code = "signing_refused"


class SigningUnavailable(SigningError):
    """An edge failed; the same request may work later."""

    code = "signing_unavailable"


class DocumentRefused(SigningRefused):
    """The bytes are not a PDF that we sign or read."""

    code = "document_malformed"


class DocumentTooLarge(DocumentRefused):
    """The document exceeds a limit of size, objects or revisions."""

    code = "document_too_large"


class DocumentEncrypted(DocumentRefused):
    """The document is encrypted; its fields cannot be read without a password."""

    code = "document_encrypted"


class EngineRefused(SigningRefused):
    """The chosen PDF engine must not sign this document."""

    code = "engine_unsuitable"


class KeyRefused(SigningRefused):
    """The key cannot be used: file, password, or kind."""

    code = "key_refused"


class CmsMalformed(SigningRefused):
    """The signature value is not a CMS SignedData of the profile."""

    code = "FORMAT_FAILURE"


class SignatureRejected(SigningRefused):
    """Our own validation does not pass the signature; `code` is the sub-indication."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code  # type: ignore[misc]  # the verdict's own code, per instance


class RemoteRefused(SigningRefused):
    """The citizen or the upstream refused to sign; `code` is the reason it gave."""

    def __init__(self, message: str, code: str = "signing_refused") -> None:
        super().__init__(message)
        self.code = code  # type: ignore[misc]  # the upstream's own code, per instance


class TransactionUnknown(SigningRefused):
    """There is no such transaction for this caller."""

    code = "transaction_not_found"


class TransactionState(SigningRefused):
    """The transaction is in a state where this cannot be done."""

    code = "transaction_state"


class TransactionExpired(SigningRefused):
    """The transaction's deadline has passed."""

    code = "transaction_expired"


class RequestRefused(SigningRefused):
    """A field of the request is missing or nonsense."""

    code = "invalid_request"


class AccessRefused(SigningRefused):
    """The caller may not do this.

    Args:
        message: safe to show.
        code: `invalid_token`, `insufficient_scope`, `insufficient_user_authentication`, `invalid_dpop_proof`, `access_refused`.
        challenge: the `WWW-Authenticate` value that tells the caller what to bring; empty = a plain Bearer one.
        dpop_nonce: the nonce that the next proof must carry, when that is what is missing.
    """

    code = "access_refused"

    def __init__(
        self, message: str, code: str = "access_refused", *, challenge: str = "", dpop_nonce: str | None = None
    ) -> None:
        super().__init__(message)
        self.code = code  # type: ignore[misc]  # RFC 6750 sec. 3.1 tells three cases apart
        self.challenge = challenge
        self.dpop_nonce = dpop_nonce


class TsaUnavailable(SigningUnavailable):
    """No time stamp could be had; nothing of a lower level is made instead."""

    code = "tsa_unavailable"


class RemoteSignerUnavailable(SigningUnavailable):
    """The remote signing service does not answer."""

    code = "remote_signer_unavailable"


class TransactionBusy(SigningUnavailable):
    """Another process is at work on this transaction; it is done soon."""

    code = "transaction_busy"


class WorkerUnavailable(SigningUnavailable):
    """The limited process ended without a verdict (CPU, memory or time)."""

    code = "validation_limit"
