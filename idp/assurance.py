"""How sure we may be: account level, session method and freshness of a sign-in, each by one table; the level is their minimum.

Owns:    the mapping table's value and the rule. The table itself is data (`assurance_mapping.json`, versioned).
Leaves:  what follows from a level to `login`.
Rules:   1 the three axes are kept apart; the result is the least of them
         2 what the table does not name is low: nothing is ever inferred from a lower source
         3 a permit attestation raises proofing by one step, once, and no other axis
Spec:    docs/divergences.md (no common table exists); the axes as NIST SP 800-63-4 keeps them apart; levels of Regulation (EU) 910/2014
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from idp.model import SignIn
from trust_lists.vocabulary import AssuranceLevel

DEFAULT_TABLE = Path(__file__).with_name("assurance_mapping.json")
_ANY = "*"


@dataclass(frozen=True, slots=True)
class UpstreamLevels:
    """One upstream's own words, and what each is worth."""

    proofing: Mapping[str, AssuranceLevel]
    method: Mapping[str, AssuranceLevel]


@dataclass(frozen=True, slots=True)
class MappingTable:
    """The whole table; `version` goes into the audit trail with every decision."""

    version: str
    permit_raises_proofing_by: int
    freshness: tuple[tuple[int | None, AssuranceLevel], ...]
    """(up to this age in seconds, at most this level), in rising order of age."""
    upstreams: Mapping[str, UpstreamLevels]


@dataclass(frozen=True, slots=True)
class Assessment:
    """The three axes of one sign-in at one time."""

    proofing: AssuranceLevel
    method: AssuranceLevel
    freshness: AssuranceLevel

    @property
    def level(self) -> AssuranceLevel:
        """The least of the axes."""
        return min((self.proofing, self.method, self.freshness), key=lambda axis: axis.value)

    def shortest_axes(self, wanted: AssuranceLevel) -> tuple[str, ...]:
        """Name the axes that fall short of `wanted`."""
        axes = (("proofing", self.proofing), ("method", self.method), ("freshness", self.freshness))
        return tuple(name for name, level in axes if level < wanted)


def assess(table: MappingTable, sign_in: SignIn, *, with_permit: bool, at: datetime) -> Assessment:
    """Assess a sign-in, with or without a permit attestation beside it."""
    levels = table.upstreams.get(sign_in.connector, UpstreamLevels({}, {}))
    proofing = _look_up(levels.proofing, sign_in.account_level)
    if with_permit:
        proofing = AssuranceLevel(min(proofing.value + table.permit_raises_proofing_by, AssuranceLevel.HIGH.value))
    age_s = (at - sign_in.authenticated_at).total_seconds()
    freshness = next(
        (level for longest, level in table.freshness if longest is None or age_s <= longest), AssuranceLevel.LOW
    )
    return Assessment(proofing, _look_up(levels.method, sign_in.session_method), freshness)


@lru_cache(maxsize=4)
def load_table(path: Path = DEFAULT_TABLE) -> MappingTable:
    """Read a mapping table.

    Raises:
        ValueError: not a table of this shape.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return MappingTable(
            version=str(document["version"]),
            permit_raises_proofing_by=int(document["permit_raises_proofing_by"]),
            freshness=tuple((row["max_age_s"], _level(row["level"])) for row in document["freshness"]),
            upstreams={
                name: UpstreamLevels(_levels(entry["proofing"]), _levels(entry["method"]))
                for name, entry in document["upstreams"].items()
            },
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path.name} is not an assurance mapping table") from error


def _look_up(levels: Mapping[str, AssuranceLevel], word: str) -> AssuranceLevel:
    """Rule 2; `*` is the table's own word for every other value of that upstream."""
    return levels.get(word, levels.get(_ANY, AssuranceLevel.LOW))


def _levels(entry: Mapping[str, str]) -> dict[str, AssuranceLevel]:
    return {word: _level(level) for word, level in entry.items()}


def _level(name: str) -> AssuranceLevel:
    return AssuranceLevel[name.upper()]
