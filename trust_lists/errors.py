"""What can go wrong with a trust list, its keys and its signatures.

Owns:    the one error tree of the package. Leaves HTTP statuses to `service.problem_details`, exit codes to `cli`.
Rules:   *refused* means that the data is bad; *unavailable* means that an edge (network, disk, library) failed, its cause chained.
         A message may be shown to anyone; it names the rule that was broken, never what lies inside.

::

    TrustListError
    ├── TrustListRefused
    │   ├── ListMalformed             list_malformed            not the bytes of a list, too big, unknown member
    │   ├── ListExpired               list_expired              past its expiry
    │   │   └── ListFrozen            list_frozen               the same, past its expiry, served again
    │   ├── ListRollback              list_rollback             older than what this reader has accepted
    │   ├── ListEquivocation          list_equivocation         the same version number, other content
    │   ├── ListThresholdNotMet       list_threshold_not_met    not signed by enough regions or officers
    │   ├── ListNotLogged             list_not_logged           not in the append-only log, or its root names no log
    │   ├── ListNotWitnessed          list_not_witnessed        the log's checkpoint lacks the co-signatures of two regions
    │   ├── ListLogInconsistent       list_log_inconsistent     the log does not continue what this reader has seen
    │   ├── ListMixed                 list_mixed                parts that do not belong to one version
    │   ├── ListRegionOverreach       list_region_overreach     a region lists what another was admitted for
    │   ├── ListHistoryRewritten      list_history_rewritten    a past entry changed or disappeared
    │   ├── ListStatusBackdated       list_status_backdated     a status or agreement starts in the past of the list
    │   ├── ListClock                 list_clock                issued in the reader's future, or the clock went back
    │   ├── DraftRefused              list_draft_refused        a draft that lint or the operator's command refuses
    │   ├── KeyRefused                key_refused               not a key of the expected kind, wrong password
    │   ├── AlgorithmRefused          algorithm_refused         unknown, or not suitable at that time
    │   ├── SignatureInvalid          signature_invalid         the signature does not verify
    │   └── CertificateMalformed      certificate_malformed     not one DER certificate
    └── TrustListUnavailable
        ├── TrustListNotLoaded        trust_list_unavailable    no list has been accepted yet, or the source does not answer
        ├── TrustListStale            trust_list_stale          the last accepted list is older than the reader may use
        ├── ListStorageFailed         list_storage_failed       the disk refused
        └── Sm2Unavailable            sm2_unavailable           no libcrypto with SM2 on this machine
"""

from typing import ClassVar


class TrustListError(Exception):
    """Root of every domain error of this package."""

    code: ClassVar[str] = "trust_list_error"


class TrustListRefused(TrustListError):
    """The data is bad: trying again with the same data cannot help."""

    code = "trust_list_refused"


class TrustListUnavailable(TrustListError):
    """An edge failed: the same call may succeed later."""

    code = "trust_list_unavailable"


class ListMalformed(TrustListRefused):
    """The bytes are not a list of the published form, or exceed its limits."""

    code = "list_malformed"


class ListExpired(TrustListRefused):
    """A part of the list is past its expiry."""

    code = "list_expired"


class ListFrozen(ListExpired):
    """The source goes on serving the expired statement that this reader already holds (freeze attack)."""

    code = "list_frozen"


class ListRollback(TrustListRefused):
    """The list is older than the one that this reader has already accepted."""

    code = "list_rollback"


class ListEquivocation(TrustListRefused):
    """A version number that this reader knows comes back with other content."""

    code = "list_equivocation"


class ListThresholdNotMet(TrustListRefused):
    """Not signed by enough regions, or not by enough officers of the region."""

    code = "list_threshold_not_met"


class ListNotLogged(TrustListRefused):
    """The list is not proven to stand in the append-only log that everybody sees."""

    code = "list_not_logged"


class ListNotWitnessed(TrustListRefused):
    """The log's checkpoint is not signed by the log and co-signed by witnesses of two regions."""

    code = "list_not_witnessed"


class ListLogInconsistent(TrustListRefused):
    """The log was not only appended to since this reader last saw it: two readers may have been shown two logs."""

    code = "list_log_inconsistent"


class ListMixed(TrustListRefused):
    """The parts do not belong to one published version (mix-and-match attack)."""

    code = "list_mixed"


class ListRegionOverreach(TrustListRefused):
    """A region lists a key that the scheme admitted for another region."""

    code = "list_region_overreach"


class ListHistoryRewritten(TrustListRefused):
    """A past status, agreement, admission or service was changed or removed."""

    code = "list_history_rewritten"


class ListStatusBackdated(TrustListRefused):
    """A change claims to have taken effect before the previous list was issued."""

    code = "list_status_backdated"


class ListClock(TrustListRefused):
    """The list was issued in the reader's future, or the reader's clock was set back."""

    code = "list_clock"


class DraftRefused(TrustListRefused):
    """A draft or an operator's command that cannot become a list."""

    code = "list_draft_refused"


class KeyRefused(TrustListRefused):
    """The key cannot be read, or is not of the expected kind."""

    code = "key_refused"


class AlgorithmRefused(TrustListRefused):
    """The algorithm is unknown here, or no longer suitable."""

    code = "algorithm_refused"


class SignatureInvalid(TrustListRefused):
    """The signature does not verify under this key."""

    code = "signature_invalid"


class CertificateMalformed(TrustListRefused):
    """The bytes are not exactly one DER certificate."""

    code = "certificate_malformed"


class TrustListNotLoaded(TrustListUnavailable):
    """No list has been accepted yet, or its source does not answer."""

    code = "trust_list_unavailable"


class TrustListStale(TrustListUnavailable):
    """The last accepted list is older than the reader is allowed to use: fail closed, told apart from "not trusted"."""

    code = "trust_list_stale"


class ListStorageFailed(TrustListUnavailable):
    """A file of the list could not be read or written."""

    code = "list_storage_failed"


class Sm2Unavailable(TrustListUnavailable):
    """This machine has no libcrypto with SM2: signatures can be verified, not made."""

    code = "sm2_unavailable"
