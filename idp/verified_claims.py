"""Which verified data meet a portal's conditions, and how much of them it asked to see.

Owns:    the match of one requested structure against what is known. Leaves its reading to `claims_request`, what is known to `claims`.
Rules:   1 `value`, `values` and `max_age` are conditions; what does not meet them is not delivered ("Data not matching requirements"):
           in `verification` it omits the whole element, on a claim only that claim
         2 of `verification` only what was asked is told ("Requesting verification data")
         3 the entries of a list, such as `evidence` or `check_details`, are alternatives: each a filter, and a template of what passes it
         4 `essential` changes nothing here ("Returning less data than requested")
Spec:    OpenID Connect for Identity Assurance 1.0, the sections named above; OpenID Connect Core 1.0 cl. 5.5.1
"""

from datetime import datetime
from typing import Final

_CONDITIONS: Final = frozenset({"value", "values", "max_age"})
_REMARKS: Final = frozenset({"essential", "purpose"})


class Unmet(Exception):
    """What is known does not meet a condition."""


def is_conditional(asked: object) -> bool:
    """Tell whether a requested structure holds a condition, at any depth."""
    if isinstance(asked, dict):
        return bool(_CONDITIONS & asked.keys()) or any(map(is_conditional, asked.values()))
    return isinstance(asked, list) and any(map(is_conditional, asked))


def matched(asked: object, known: object, *, at: datetime) -> object:
    """Return so much of what is known as was asked for; null and an empty object ask for the whole.

    Raises:
        Unmet: a condition is not met.
    """
    if not asked or not isinstance(asked, (dict, list)):
        return known
    if isinstance(known, list):
        return _alternatives(asked if isinstance(asked, list) else [asked], known, at)
    if isinstance(asked, list):
        raise Unmet
    _check_conditions(asked, known, at)
    nested = {name: inner for name, inner in asked.items() if name not in _CONDITIONS | _REMARKS}
    if not nested:
        return known
    if not isinstance(known, dict):
        raise Unmet
    if any(is_conditional(inner) for name, inner in nested.items() if name not in known):
        raise Unmet
    return {name: matched(inner, known[name], at=at) for name, inner in nested.items() if name in known}


def _alternatives(asked: list[object], known: list[object], at: datetime) -> list[object]:
    """Rule 3."""
    passed = [part for one in known for part in _first_match(asked, one, at)]
    if not passed:
        raise Unmet
    return passed


def _first_match(asked: list[object], known: object, at: datetime) -> list[object]:
    for template in asked:
        try:
            return [matched(template, known, at=at)]
        except Unmet:
            continue
    return []


def _check_conditions(asked: dict[str, object], known: object, at: datetime) -> None:
    if "value" in asked and known != asked["value"]:
        raise Unmet
    values = asked.get("values", [known])
    if not isinstance(values, list) or known not in values:
        raise Unmet
    if "max_age" in asked and _age_s(known, at) > _number(asked["max_age"]):
        raise Unmet


def _age_s(known: object, at: datetime) -> float:
    try:
        return (at - datetime.fromisoformat(str(known))).total_seconds()
    except (ValueError, TypeError) as error:  # no time, or one without a zone
        raise Unmet from error


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Unmet
    return float(value)
