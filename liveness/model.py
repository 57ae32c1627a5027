"""The words of the permit check.

Owns:    document types, the request, the challenge, outcomes and reasons. Frozen values only.
Leaves:  limits and thresholds to `config`; how each value comes about to the module that makes it.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from trust_lists.vocabulary import Region


class DocumentType(StrEnum):
    """A travel or identity document that `documents` can read."""

    MAINLAND_TRAVEL_PERMIT = "mainland_travel_permit"
    """港澳居民来往内地通行证: `H`/`M` + 8 digits, 11 in the old form."""
    MAINLAND_TRAVEL_PERMIT_NON_CHINESE = "mainland_travel_permit_non_chinese"
    """港澳居民来往内地通行证(非中国籍): `HA`/`MA` + 7 digits."""
    EXIT_ENTRY_PERMIT = "exit_entry_permit"
    """往来港澳通行证: `C` + 8 digits, `C` + letter + 7 digits, old booklet `W` + 8 digits."""
    TAIWAN_PERMIT = "taiwan_permit"
    """大陆居民往来台湾通行证: the one-line MRZ with code `CD`."""
    RESIDENCE_PERMIT = "residence_permit"
    """港澳台居民居住证: 18 characters, address code 810000, 820000 or 830000."""
    MAINLAND_RESIDENT_ID = "mainland_resident_id"
    HKID = "hkid"
    MACAO_BIR = "macao_bir"
    PASSPORT = "passport"


@dataclass(frozen=True, slots=True)
class PermitCheckRequest:
    """What the broker asks: does this person, alive and now, hold a permit?"""

    transaction: str
    subject: str
    """The person's upstream subject: opaque; the attestation is bound to it."""
    return_uri: str
    name_latin: str
    name_chinese: str
    birthdate: str
    """`YYYY[MM[DD]]`, as precise as the upstream gives it."""
    region: Region
    locale: str
    accepted_documents: tuple[DocumentType, ...]


@dataclass(frozen=True, slots=True)
class OpenedCheck:
    """A permit check that waits for its citizen."""

    check: str
    """Unguessable capability; whoever has it may go on with the check."""
    url: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class PermitDocument:
    """A document whose number, MRZ and holder have been checked against each other and the request."""

    type: DocumentType
    number: str
    """Without the reissue count."""
    reissue: str | None
    """换证次数, two digits, where the document carries it."""
    issuing_country: str
    """ISO 3166-1 alpha-3."""
    birthdate: date | None
    expires: date | None


class Action(StrEnum):
    """What a challenge can ask; left and right are the person's own."""

    TURN_LEFT = "turn_left"
    TURN_RIGHT = "turn_right"
    NOD = "nod"
    BLINK = "blink"
    OPEN_MOUTH = "open_mouth"


class Colour(StrEnum):
    """A colour that the page shows at the camera's side."""

    RED = "red"
    GREEN = "green"
    BLUE = "blue"
    WHITE = "white"


class Decision(StrEnum):
    """The outcome of a permit check."""

    PASS = "pass"  # noqa: S105 - a verdict
    REVIEW = "review"
    """A person of the staffed queue decides; no attestation is issued."""
    FAIL = "fail"


class Reason(StrEnum):
    """Why a check did not pass; machine-readable, stable, safe to show."""

    NO_FACE = "no_face"
    SEVERAL_FACES = "several_faces"
    FACE_TOO_SMALL = "face_too_small"
    TOO_FEW_FRAMES = "too_few_frames"
    CAPTURE_TOO_SHORT = "capture_too_short"
    CAPTURE_GAP = "capture_gap"
    DUPLICATE_FRAMES = "duplicate_frames"
    FROZEN_FRAMES = "frozen_frames"
    PLANAR_FACE = "planar_face"
    CHALLENGE_NOT_PERFORMED = "challenge_not_performed"
    UNASKED_ACTION = "unasked_action"
    IDENTITY_CHANGED = "identity_changed"
    FACE_JUMPED = "face_jumped"
    SCREEN_PATTERN = "screen_pattern"
    PASSIVE_SPOOF = "passive_spoof"
    FACE_MISMATCH = "face_mismatch"
    FACE_UNCERTAIN = "face_uncertain"
    PORTRAIT_UNUSABLE = "portrait_unusable"
    PERMIT_NOT_FOUND = "permit_not_found"
    PERMIT_HOLDER_MISMATCH = "permit_holder_mismatch"
    PERMIT_NOT_VALID = "permit_not_valid"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision with every reason found, the weightiest first; a pass has none."""

    decision: Decision
    reasons: tuple[Reason, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """What the citizen's page is told after the last frame."""

    decision: Decision
    reasons: tuple[Reason, ...]
    next: str | None
    """Where the browser goes now, None when the person may try again here."""
    attempts_left: int
