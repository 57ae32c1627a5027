"""Consent: what a portal asks of a person, what they agree to, and how long that stands.

Owns:    the items of a request, the decision, the record. Leaves the page to `login_routes`, delivery to `claims`.
Rules:   1 the unit is one item in the person's words, not a claim name
         2 an item that the portal did not mark essential can be unticked; `permit` and `signing` are asked by scope and stand whole
         3 an earlier consent serves only if it decided every item now asked, for this portal and this pair of regions;
           never for a named document, and never for a request that the person was not at the browser of
         4 a record holds pseudonyms and item names, never a value
Spec:    ISO/IEC TS 27560:2023 (the record); OpenID Connect Core 1.0 cl. 3.1.2.4
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from idp.model import AuthorizationRequest, ConsentDecision, ConsentRecord, PermitEvidence, SignIn, Target
from idp.protocol import ITEM_OF_CLAIM, PERMIT_FRAMEWORK, PROFILE_ITEMS, Prompt, ReleasedItem, Scope
from idp.relying_parties import RelyingParty
from trust_lists.vocabulary import Region


@dataclass(frozen=True, slots=True)
class RequestedItem:
    """One line of the consent page."""

    item: ReleasedItem
    essential: bool


def requested_items(request: AuthorizationRequest, *, permit: PermitEvidence | None) -> tuple[RequestedItem, ...]:
    """List what the portal asks for, in the page's order; what cannot be delivered is not asked of the person."""
    claims = request.claims
    asked = {ITEM_OF_CLAIM[name] for name in (*claims.id_token, *claims.userinfo)}
    asked |= {ITEM_OF_CLAIM[name] for element in claims.verified if element.satisfiable for name in element.claims}
    essential = {ITEM_OF_CLAIM[name] for name in claims.essential}
    essential |= {ITEM_OF_CLAIM[name] for element in claims.verified for name in element.essential}
    if Scope.PROFILE in request.scope:
        asked |= set(PROFILE_ITEMS)
    asked.discard(ReleasedItem.PERMIT)
    if wants_permit(request) and permit is not None:
        asked.add(ReleasedItem.PERMIT)
        essential.add(ReleasedItem.PERMIT)
    if Scope.SIGNING in request.scope:
        signing = ReleasedItem.DOCUMENT if request.documents else ReleasedItem.SIGNING
        asked.add(signing)
        essential.add(signing)
    if Scope.OFFLINE_ACCESS in request.scope:  # Core cl. 11: the person agrees to it, or it is not granted
        asked.add(ReleasedItem.OFFLINE)
    return tuple(RequestedItem(item, item in essential) for item in ReleasedItem if item in asked)


def wants_permit(request: AuthorizationRequest) -> bool:
    """Tell whether the portal asks for permit evidence, by scope or by a `verified_claims` element that names it."""
    return Scope.PERMIT in request.scope or any(
        element.satisfiable and PERMIT_FRAMEWORK in element.trust_frameworks for element in request.claims.verified
    )


def decide_consent(
    items: tuple[RequestedItem, ...], ticked: frozenset[str], *, person: str, agreed: bool
) -> ConsentDecision:
    """Turn the form into a decision: essential items come with agreeing, the others only when ticked."""
    granted = tuple(line.item.value for line in items if agreed and (line.essential or line.item.value in ticked))
    declined = tuple(line.item.value for line in items if line.item.value not in granted)
    return ConsentDecision(person, agreed, granted, declined)


def may_be_served(request: AuthorizationRequest) -> bool:
    """Tell whether any earlier consent can stand for this request (rule 3)."""
    asks_anew = Prompt.CONSENT in request.prompt
    return request.target is Target.PORTAL and not request.documents and not asks_anew


def serves(record: ConsentRecord, items: tuple[RequestedItem, ...], region: Region, at: datetime) -> bool:
    """Tell whether an earlier consent covers these items (rule 3)."""
    decided = {*record.granted, *record.declined}
    asked = {line.item.value for line in items}
    essential = {line.item.value for line in items if line.essential}
    return (
        record.given_at <= at < record.expires_at
        and asked <= decided
        and essential <= set(record.granted)
        and record.source_region is region
    )


def record_consent(
    identifier: str,
    decision: ConsentDecision,
    *,
    party: RelyingParty,
    sign_in: SignIn,
    locale: str,
    lifetime: timedelta,
    at: datetime,
) -> ConsentRecord:
    """Make the record of an agreement."""
    return ConsentRecord(
        id=identifier,
        person=decision.person,
        client_id=party.client_id,
        granted=decision.granted,
        declined=decision.declined,
        purpose=party.purpose,
        source_region=sign_in.region,
        destination_region=party.region,
        locale=locale,
        given_at=at,
        expires_at=at + lifetime,
    )
