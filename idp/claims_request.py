"""The `claims` parameter: which claims a portal wants, where, and how badly.

Owns:    parsing it, bounded, to what we can deliver. Leaves delivery to `claims`.
Rules:   1 what we do not know is left out of the answer, never an error (OpenID Connect Core cl. 5.5.1)
         2 a `verified_claims` element that constrains something we never state is unsatisfiable, and is then omitted whole
Spec:    OpenID Connect Core 1.0 cl. 5.5; OpenID Connect for Identity Assurance 1.0 cl. 5, 6
"""

import json

from idp.errors import InvalidRequest
from idp.model import ClaimsRequest, VerifiedClaimsRequest
from idp.protocol import ITEM_OF_CLAIM
from idp.verified_claims import is_conditional

MAX_CLAIMS_CHARS = 4_096
MAX_MEMBERS = 40
MAX_DEPTH = 12
"""The deepest that IDA asks: userinfo, verified_claims, its list, verification, evidence, its list, document_details, issuer, a value."""
MAX_SUBJECT_CHARS = 255
_UNDERSTOOD = frozenset({"trust_framework", "assurance_level", "time", "evidence", "verification_process"})


def parse_claims_request(text: str | None) -> ClaimsRequest:
    """Turn the parameter into what we can deliver of it.

    Raises:
        InvalidRequest: not a JSON object of the standard's shape, or too large.
    """
    if text is None:
        return ClaimsRequest()
    document = _object(_load(text))
    id_token, userinfo = _object(document.get("id_token")), _object(document.get("userinfo"))
    acr = _object(id_token.get("acr"))
    verified = (
        *_verified("id_token", id_token.get("verified_claims")),
        *_verified("userinfo", userinfo.get("verified_claims")),
    )
    return ClaimsRequest(
        id_token=_plain(id_token),
        userinfo=_plain(userinfo),
        essential=tuple(
            sorted({name for part in (id_token, userinfo) for name in _plain(part) if _essential(part[name])})
        ),
        verified=verified,
        acr_values=_values(acr),
        acr_essential=acr.get("essential") is True,
        subject=_subject(id_token.get("sub")),
    )


def _load(text: str) -> object:
    if len(text) > MAX_CLAIMS_CHARS:
        raise InvalidRequest("The claims parameter is too large")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest("The claims parameter is not JSON") from error
    if not isinstance(document, dict):
        raise InvalidRequest("The claims parameter is not a JSON object")
    _check_bounded(document, MAX_DEPTH)
    return document


def _check_bounded(value: object, depth: int) -> None:
    children = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    if len(children) > MAX_MEMBERS or (children and depth == 0):
        raise InvalidRequest("The claims parameter is too large")
    for child in children:
        _check_bounded(child, depth - 1)


def _object(value: object) -> dict[str, object]:
    """A null member asks for the claim without more (cl. 5.5.1)."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidRequest("The claims parameter has a member that should be an object or null")
    return value


def _plain(part: dict[str, object]) -> tuple[str, ...]:
    return tuple(sorted(name for name in part if name in ITEM_OF_CLAIM))


def _essential(member: object) -> bool:
    return isinstance(member, dict) and member.get("essential") is True


def _values(member: dict[str, object]) -> tuple[str, ...]:
    listed = member.get("values", [member["value"]] if "value" in member else [])
    if not isinstance(listed, list):
        raise InvalidRequest("The claims parameter has values that are no list")
    return tuple(value for value in listed if isinstance(value, str))


def _subject(member: object) -> str | None:
    if not isinstance(member, dict) or "value" not in member:
        return None
    value = member["value"]
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_SUBJECT_CHARS:
        raise InvalidRequest("The claims parameter asks for a sub that is none")
    return value


def _verified(target: str, member: object) -> tuple[VerifiedClaimsRequest, ...]:
    elements = member if isinstance(member, list) else [] if member is None else [member]
    return tuple(_verified_element(target, _object(element)) for element in elements)


def _verified_element(target: str, element: dict[str, object]) -> VerifiedClaimsRequest:
    verification, wanted = element.get("verification"), element.get("claims")
    if not isinstance(verification, dict) or "trust_framework" not in verification or not isinstance(wanted, dict):
        raise InvalidRequest("verified_claims needs verification with trust_framework, and claims (IDA cl. 6)")
    framework, max_age = _object(verification["trust_framework"]), _object(verification.get("time")).get("max_age")
    if max_age is not None and (not isinstance(max_age, int) or isinstance(max_age, bool) or max_age < 0):
        raise InvalidRequest("verified_claims: time.max_age must be a number of seconds")
    _check_evidence(verification.get("evidence"))
    constrained_elsewhere = any(
        is_conditional(value) for name, value in verification.items() if name not in _UNDERSTOOD
    )
    known = tuple(sorted(name for name in wanted if name in ITEM_OF_CLAIM))
    return VerifiedClaimsRequest(
        target=target,
        trust_frameworks=_values(framework),
        max_age_s=max_age,
        claims=known,
        essential=tuple(name for name in known if _essential(wanted[name])),
        verification=verification,
        wanted={name: wanted[name] for name in known if is_conditional(wanted[name])},
        satisfiable=not constrained_elsewhere and bool(known),
    )


def _check_evidence(evidence: object) -> None:
    """Each entry is an object, and may name its `type`."""
    if not isinstance(evidence, list | None):
        raise InvalidRequest("verified_claims: evidence must be a list")
    for entry in evidence or []:
        _object(_object(entry).get("type"))
