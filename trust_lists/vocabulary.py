"""The words that all packages share: region and assurance level.

Owns:    `Region`, `AssuranceLevel`. Leaves the words of the trust list itself to `model`.
"""

from enum import Enum, StrEnum


class Region(StrEnum):
    """One of the three legal systems of the Greater Bay Area; the value is the one used in commands and claims."""

    HK = "hk"
    MO = "mo"
    GD = "gd"

    @property
    def territory(self) -> str:
        """The ISO 3166 code as TS 119 612 cl. 5.3.10 wants it in SchemeTerritory (Guangdong with its subdivision)."""
        return {"hk": "HK", "mo": "MO", "gd": "CN-GD"}[self.value]


class AssuranceLevel(Enum):
    """How sure we are of a person: low, substantial, high (eIDAS words); ordered, compare with `>=`."""

    LOW = 1
    SUBSTANTIAL = 2
    HIGH = 3

    @property
    def acr(self) -> str:
        """The authentication context class reference that carries this level in tokens."""
        return f"urn:gba-trust:acr:{self.name.lower()}"

    @classmethod
    def from_acr(cls, acr: str) -> "AssuranceLevel | None":
        """Return the level that an acr value names, or None when it names none of ours."""
        return next((level for level in cls if level.acr == acr), None)

    def __ge__(self, other: "AssuranceLevel") -> bool:
        return self.value >= other.value

    def __gt__(self, other: "AssuranceLevel") -> bool:
        return self.value > other.value

    def __le__(self, other: "AssuranceLevel") -> bool:
        return self.value <= other.value

    def __lt__(self, other: "AssuranceLevel") -> bool:
        return self.value < other.value
