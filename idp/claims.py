"""What a portal gets: standard claims and verified claims, from what was agreed and what was proved.

Owns:    the shapes in the ID token and in userinfo. Leaves consent to `consent`, signing to `tokens`.
Rules:   1 an item that was not granted yields no claim
         2 a `verified_claims` element that does not meet the asked framework, level, age or evidence is omitted, never faked; of the others
           a portal sees so much as it asked for
         3 no document number leaves: the permit is a match (`exit_entry_permit_holder`) and a reference of this sector only
         4 a birth date is as precise as the source
Spec:    OpenID Connect Core 1.0 cl. 5.1, 5.2, 5.5; OpenID Connect for Identity Assurance 1.0 cl. 5, 6; OpenID IDA Schema 1.0
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from idp.model import AuthorizationRequest, Identity, PermitEvidence, SignIn, VerifiedClaimsRequest
from idp.protocol import CLAIMS_OF_ITEM, PERMIT_FRAMEWORK, ReleasedItem, Scope
from idp.verified_claims import Unmet, matched
from trust_lists.vocabulary import AssuranceLevel, Region

Claims = dict[str, object]
_GENDERS = {"M": "male", "F": "female"}
_CHINESE = {Region.HK: "zh-Hant", Region.MO: "zh-Hant", Region.GD: "zh-Hans"}


@dataclass(frozen=True, slots=True)
class ReleaseSource:
    """All that a release can draw from."""

    identity: Identity
    sign_in: SignIn
    permit: PermitEvidence | None
    level: AssuranceLevel
    at: datetime
    document_reference: str = ""
    """What this sector may know the permit by; another sector's is another, or subjects could be joined by it."""


@dataclass(frozen=True, slots=True)
class Release:
    """Claims by the place where they go."""

    id_token: Claims
    userinfo: Claims


def release(request: AuthorizationRequest, granted: tuple[str, ...], source: ReleaseSource) -> Release:
    """Compute what goes to the portal."""
    available = _available(frozenset(granted), source)
    by_profile = tuple(claim for item in _profile_items(request) for claim in CLAIMS_OF_ITEM[item])
    id_token = _pick(available, request.claims.id_token)
    userinfo = _pick(available, (*by_profile, *request.claims.userinfo))
    for target, claims in (("id_token", id_token), ("userinfo", userinfo)):
        if verified := _verified(request, target, available, source):
            claims["verified_claims"] = verified
    return Release(id_token, userinfo)


def _profile_items(request: AuthorizationRequest) -> tuple[ReleasedItem, ...]:
    profile = (ReleasedItem.NAME, ReleasedItem.BIRTHDATE, ReleasedItem.GENDER)
    return profile if Scope.PROFILE in request.scope else ()


def _available(granted: frozenset[str], source: ReleaseSource) -> Claims:
    """Every claim that the person agreed to and that we really have."""
    identity = source.identity
    claims: Claims = {}
    if ReleasedItem.NAME in granted:
        family, comma, given = identity.name_latin.partition(",")
        claims["name"] = identity.name_latin or identity.name_chinese
        claims["family_name"] = family.strip() if comma else ""
        claims["given_name"] = given.strip()
        claims[f"name#{_CHINESE[source.sign_in.region]}"] = identity.name_chinese  # Core cl. 5.2
    if ReleasedItem.BIRTHDATE in granted:
        claims["birthdate"] = _birthdate(identity.birthdate)
    if ReleasedItem.GENDER in granted:
        claims["gender"] = _GENDERS.get(identity.gender, "")
    if ReleasedItem.PERMIT in granted and source.permit is not None:
        claims["exit_entry_permit_holder"] = True
    return {name: value for name, value in claims.items() if value != ""}


def _birthdate(known: str) -> str:
    """ISO 8601 date, or the year alone (Core cl. 5.1); a month without a day has no form there, so it is not told."""
    return f"{known[:4]}-{known[4:6]}-{known[6:]}" if len(known) == 8 else known[:4]


def _pick(available: Mapping[str, object], names: tuple[str, ...]) -> Claims:
    """Pick claims by name; a name in another script comes along with `name`."""
    return {name: value for name, value in available.items() if name.partition("#")[0] in names}


def _verified(
    request: AuthorizationRequest, target: str, available: Mapping[str, object], source: ReleaseSource
) -> list[Claims]:
    asked = [element for element in request.claims.verified if element.target == target]
    if not asked and Scope.PERMIT in request.scope:  # the scope is the short way to ask for the same, at both places
        asked = [VerifiedClaimsRequest(target, (PERMIT_FRAMEWORK,), claims=("exit_entry_permit_holder",))]
    elements = [
        _element(element, candidate, available, source.at) for element in asked for candidate in _frameworks(source)
    ]
    return [element for element in elements if element is not None]


@dataclass(frozen=True, slots=True)
class _Framework:
    """One trust framework under which something of this person was verified."""

    name: str
    verification: Claims
    claims: frozenset[str]


def _frameworks(source: ReleaseSource) -> tuple[_Framework, ...]:
    upstream = _upstream_framework(source)
    return (upstream,) if source.permit is None else (upstream, _permit_framework(source, source.permit))


def _upstream_framework(source: ReleaseSource) -> _Framework:
    """The home government's own word for name, birth date and gender; it tells us no evidence, so we state none."""
    sign_in = source.sign_in
    return _Framework(
        name=sign_in.trust_framework,
        verification={"trust_framework": sign_in.trust_framework, "time": _instant(sign_in.authenticated_at)},
        claims=frozenset({"name", "given_name", "family_name", "birthdate", "gender"}),
    )


def _permit_framework(source: ReleaseSource, permit: PermitEvidence) -> _Framework:
    """The permit check: the document was confirmed and its holder was present; name and birth date matched the document's."""
    evidence = {
        "type": "document",
        "check_details": [
            {"check_method": c.check_method, "organization": c.organization, "txn": c.txn, "time": c.time}
            for c in permit.checks
        ],
        "document_details": {
            "type": permit.document_type,
            "issuer": {"country_code": permit.issuing_country},
            "reference": source.document_reference,
        },
    }
    return _Framework(
        name=PERMIT_FRAMEWORK,
        verification={
            "trust_framework": PERMIT_FRAMEWORK,
            "assurance_level": source.level.name.lower(),
            "time": _instant(permit.verified_at),
            "verification_process": permit.attestation,
            "evidence": [evidence],
        },
        claims=frozenset({"name", "given_name", "family_name", "birthdate", "exit_entry_permit_holder"}),
    )


def _element(
    asked: VerifiedClaimsRequest, framework: _Framework, available: Mapping[str, object], at: datetime
) -> Claims | None:
    """Return one `verified_claims` element, or None when the request's conditions are not met (rule 2)."""
    if not asked.satisfiable or (asked.trust_frameworks and framework.name not in asked.trust_frameworks):
        return None
    try:
        verification = matched(asked.verification, framework.verification, at=at)
    except Unmet:
        return None
    names = (name for name in asked.claims if name in framework.claims)
    claims = _pick(available, tuple(name for name in names if _meets(asked.wanted.get(name), available.get(name), at)))
    return {"verification": verification, "claims": claims} if claims else None


def _meets(asked: object, known: object, at: datetime) -> bool:
    try:
        matched(asked, known, at=at)
    except Unmet:
        return False
    return True


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
