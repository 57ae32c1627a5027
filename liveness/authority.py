"""The permit authority: who alone can say that a permit exists and whose portrait is on it.

Owns:    the query, the result and the Protocol. Leaves the signed wire to `authority_wire` and HTTP to `authority_client`.
Rules:   results only: no portrait and no personal data ever come back. The real authority (the NIA platform) takes Mainland
         legal persons only and its fields are not public, so these words are ours (`docs/divergences.md`).
Spec:    出入境证件身份认证管理办法(试行) of 11 Sep 2019: 实名认证 and 实人认证 give results only.
"""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol

from liveness.model import DocumentType


class IdentityResult(StrEnum):
    """Whether the permit exists and belongs to the named person (实名认证)."""

    MATCH = "match"
    MISMATCH = "mismatch"
    NOT_FOUND = "not_found"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class PortraitResult(StrEnum):
    """Whether the picture shows the person of the portrait held (实人认证)."""

    SAME = "same"
    DIFFERENT = "different"
    UNCERTAIN = "uncertain"
    POOR_IMAGE = "poor_image"
    NOT_ON_FILE = "not_on_file"
    NOT_COMPARED = "not_compared"


@dataclass(frozen=True, slots=True)
class HolderQuery:
    """Does this permit belong to this person, and is this the person's face?"""

    reference: str
    """Ours, unique; comes back in the result."""
    document_type: DocumentType
    number: str
    name_latin: str
    name_chinese: str
    birthdate: date
    portrait: bytes
    """One JPEG of the living person."""


@dataclass(frozen=True, slots=True)
class HolderResult:
    """The authority's answer, verified as its own."""

    reference: str
    identity: IdentityResult
    portrait: PortraitResult
    organisation: str
    txn: str
    """The authority's own transaction number."""
    at: datetime


class PermitAuthority(Protocol):
    """Answers holder queries."""

    async def verify_holder(self, query: HolderQuery) -> HolderResult:
        """Ask, and return the answer once its signature holds.

        Raises:
            AuthorityUnavailable: no answer.
            AuthorityUntrusted: an answer that is not the authority's, or not to this query.
        """
        ...
