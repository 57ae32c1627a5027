"""The order of a login: one pure dispatcher from stored state to the next step.

Owns:    `next_step`, and the steps as values. Leaves the doing of each step to `login_flow`; no step knows another.
Rules:   1 a step is decided from what is stored and `at`, never from which page the browser came
         2 with `prompt=none` every step that would need the person is a refusal instead
         3 what was proved or agreed by one person never serves another: evidence and consent name their person
         4 a level that cannot be reached is refused before the person is sent through a step that would not help
Spec:    OpenID Connect Core 1.0 cl. 3.1.2.1 to 3.1.2.6; OpenID Connect Core Unmet Authentication Requirements 1.0
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from idp.assurance import Assessment, MappingTable, assess
from idp.consent import RequestedItem, may_be_served, requested_items, serves, wants_permit
from idp.errors import (
    AccessDenied,
    ConsentRequired,
    InteractionRequired,
    LoginRequired,
    ProtocolError,
    UnmetAuthenticationRequirements,
)
from idp.model import ConsentRecord, Identity, LoginTransaction, PermitEvidence, SignIn, Target
from idp.protocol import Prompt, Scope
from idp.relying_parties import RelyingParty
from trust_lists.vocabulary import AssuranceLevel


@dataclass(frozen=True, slots=True)
class LoginPolicy:
    """What every login of this installation knows."""

    connectors: frozenset[str]
    table: MappingTable
    permit_connected: bool
    permit_evidence_lifetime: timedelta


@dataclass(frozen=True, slots=True)
class Login:
    """Everything that a decision needs, loaded."""

    transaction: LoginTransaction
    relying_party: RelyingParty
    sign_in: SignIn | None = None
    hinted_person: bool = True
    """False when an `id_token_hint` names somebody else than who is signed in."""
    earlier_consent: ConsentRecord | None = None
    identity: Identity | None = None
    """What the upstream told, when that was in this very request; else it is read when it is needed."""


@dataclass(frozen=True, slots=True)
class GoChoose:
    """Show the identity providers."""


@dataclass(frozen=True, slots=True)
class GoUpstream:
    """Send the browser to an identity provider."""

    connector: str


@dataclass(frozen=True, slots=True)
class WaitUpstream:
    """Wait for an identity provider's late answer."""

    connector: str
    reference: str
    deadline: datetime


@dataclass(frozen=True, slots=True)
class VerifyPermit:
    """Send the browser through the permit check."""

    sign_in: SignIn


@dataclass(frozen=True, slots=True)
class Consent:
    """Ask what may be handed over."""

    sign_in: SignIn
    items: tuple[RequestedItem, ...]


@dataclass(frozen=True, slots=True)
class IssueGrant:
    """Everything is there: give the portal what it asked for."""

    sign_in: SignIn
    permit: PermitEvidence | None
    assessment: Assessment
    granted: tuple[str, ...]
    newly_agreed: bool


@dataclass(frozen=True, slots=True)
class OpenAccount:
    """The person signed in to see their own account."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """Send the portal the standard's error."""

    error: ProtocolError


Step = GoChoose | GoUpstream | WaitUpstream | VerifyPermit | Consent | IssueGrant | OpenAccount | Refuse


def next_step(login: Login, policy: LoginPolicy, at: datetime) -> Step:
    """Decide the next step of a login."""
    # 1 somebody must be signed in, recently enough, the right one
    sign_in = usable_sign_in(login, at)
    if sign_in is None:
        return _sign_in_step(login, policy, login.transaction.request.connector)
    if login.transaction.request.target is Target.ACCOUNT:
        return OpenAccount()
    # 2 the level asked for must be had, with the permit step where that helps
    evidence = usable_evidence(login, sign_in, policy, at)
    short = _level_step(login, sign_in, evidence, policy, at)
    if short is not None:
        return short
    # 3 the permit step, when the portal wants its evidence
    if evidence is None and _permit_wanted(login, sign_in, policy, at):
        return _permit_step(login, sign_in)
    if evidence is None and Scope.PERMIT in login.transaction.request.scope:
        return Refuse(UnmetAuthenticationRequirements(f"The permit check was not passed: {_refusal(login, policy)}"))
    # 4 the person agrees
    return _consent_step(
        login, sign_in, evidence, assess(policy.table, sign_in, with_permit=evidence is not None, at=at), at
    )


def usable_sign_in(login: Login, at: datetime) -> SignIn | None:
    """Return the sign-in if this request may rely on it (Core cl. 3.1.2.1: prompt, max_age, id_token_hint)."""
    sign_in, request = login.sign_in, login.transaction.request
    if sign_in is None or at >= sign_in.expires_at or not login.hinted_person:
        return None
    if sign_in.session == login.transaction.session:
        return sign_in
    forced = {Prompt.LOGIN, Prompt.SELECT_ACCOUNT} & set(request.prompt)
    # max_age=0 is prompt=login, even within the second
    too_old = request.max_age_s is not None and (
        request.max_age_s == 0 or at - sign_in.authenticated_at > timedelta(seconds=request.max_age_s)
    )
    elsewhere = request.connector is not None and request.connector != sign_in.connector
    return None if forced or too_old or elsewhere else sign_in


def usable_evidence(login: Login, sign_in: SignIn, policy: LoginPolicy, at: datetime) -> PermitEvidence | None:
    """Return the permit evidence of this session if it is this person's and still fresh."""
    evidence = sign_in.permit
    if evidence is None or evidence.person != sign_in.person:
        return None
    if at - evidence.verified_at > policy.permit_evidence_lifetime:
        return None
    ages = [e.max_age_s for e in login.transaction.request.claims.verified if e.max_age_s is not None]
    step = login.transaction.permit
    made_now = step is not None and step.done
    too_old = ages and at - evidence.verified_at > timedelta(seconds=min(ages))
    return None if too_old and not made_now else evidence


def _sign_in_step(login: Login, policy: LoginPolicy, preferred: str | None) -> Step:
    """Go to the preferred provider once; after a refusal or an unfinished visit the person chooses."""
    transaction = login.transaction
    if Prompt.NONE in transaction.request.prompt:
        return Refuse(LoginRequired())
    attempt = transaction.attempt
    if attempt is not None and attempt.reference is not None and attempt.deadline is not None:
        return WaitUpstream(attempt.connector, attempt.reference, attempt.deadline)
    if attempt is not None and attempt.state is None and not attempt.returned:
        return GoUpstream(attempt.connector)
    # whoever signed in within this very login and is not who was asked for would be sent round for ever
    untried = attempt is None and transaction.notice is None and transaction.session is None
    if preferred is not None and preferred in policy.connectors and untried:
        return GoUpstream(preferred)
    return GoChoose()


def _level_step(
    login: Login, sign_in: SignIn, evidence: PermitEvidence | None, policy: LoginPolicy, at: datetime
) -> Step | None:
    """Return what follows when the level falls short of what the portal takes; None when it does not (rule 4)."""
    minimum = login.transaction.request.minimum_level
    if minimum is None or assess(policy.table, sign_in, with_permit=evidence is not None, at=at).level >= minimum:
        return None
    best = assess(policy.table, sign_in, with_permit=policy.permit_connected or evidence is not None, at=at)
    if best.level >= minimum and not _permit_refused(login, sign_in):
        return _permit_step(login, sign_in)
    axes = best.shortest_axes(minimum)
    if axes == ("freshness",) and sign_in.session != login.transaction.session:
        return _sign_in_step(login, policy, sign_in.connector)  # the least that helps: the same provider again
    reason = ", ".join(axes) or "proofing"
    return Refuse(
        UnmetAuthenticationRequirements(f"{minimum.acr} cannot be had with {sign_in.connector}: {reason} falls short")
    )


def _permit_wanted(login: Login, sign_in: SignIn, policy: LoginPolicy, at: datetime) -> bool:
    if not policy.permit_connected or _permit_refused(login, sign_in):
        return False
    request = login.transaction.request
    preferred = request.wanted_levels[0] if request.wanted_levels else AssuranceLevel.LOW
    reached = assess(policy.table, sign_in, with_permit=False, at=at).level
    with_permit = assess(policy.table, sign_in, with_permit=True, at=at).level
    return wants_permit(request) or (reached < preferred and with_permit > reached)


def _permit_refused(login: Login, sign_in: SignIn) -> bool:
    step = login.transaction.permit
    return step is not None and step.person == sign_in.person and step.refusal is not None


def _refusal(login: Login, policy: LoginPolicy) -> str:
    step = login.transaction.permit
    if step is not None and step.refusal is not None:
        return step.refusal
    return "permit_refused" if policy.permit_connected else "permit_check_not_connected"


def _permit_step(login: Login, sign_in: SignIn) -> Step:
    if Prompt.NONE in login.transaction.request.prompt:
        return Refuse(InteractionRequired("The permit check needs the person"))
    return VerifyPermit(sign_in)


def _consent_step(
    login: Login, sign_in: SignIn, evidence: PermitEvidence | None, assessment: Assessment, at: datetime
) -> Step:
    transaction = login.transaction
    items = requested_items(transaction.request, permit=evidence)
    decision = transaction.consent
    if decision is not None and decision.person == sign_in.person:
        if not decision.agreed:
            return Refuse(AccessDenied("The person declined"))
        return IssueGrant(sign_in, evidence, assessment, decision.granted, newly_agreed=True)
    earlier = login.earlier_consent
    if earlier is not None and earlier.person == sign_in.person and may_be_served(transaction.request):
        if serves(earlier, items, sign_in.region, at):
            asked = {line.item.value for line in items}
            granted = tuple(item for item in earlier.granted if item in asked)
            return IssueGrant(sign_in, evidence, assessment, granted, newly_agreed=False)
    if Prompt.NONE in transaction.request.prompt:
        return Refuse(ConsentRequired())
    return Consent(sign_in, items)


def with_notice(transaction: LoginTransaction, code: str) -> LoginTransaction:
    """Return the login set back to the choice of provider, with the reason to show."""
    return replace(transaction, attempt=None, notice=code)
