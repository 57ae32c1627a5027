"""The provider's own values: requests, logins, sign-ins, consents, grants.

Owns:    the shapes. Leaves their rules to the modules that are named for them. All are frozen and serialisable by `records`.
Rules:   1 `UnverifiedRequest` and `AuthorizationRequest` are different types; only `authorization.accept_request` joins them
         2 a time is aware UTC
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from idp.parameters import Parameters
from trust_lists.vocabulary import AssuranceLevel, Region


@dataclass(frozen=True, slots=True)
class UnverifiedRequest:
    """What arrived at `/authorize`, decoded and not believed."""

    parameters: Parameters
    signed: bool = False
    """The parameters come from a verified request object (RFC 9101)."""
    pushed: bool = False
    """They came by `/par`, from the authenticated relying party (RFC 9126)."""

    def get(self, name: str) -> str | None:
        """Return a parameter's value, or None when absent."""
        return self.parameters.get(name)


@dataclass(frozen=True, slots=True)
class VerifiedClaimsRequest:
    """One element of a `verified_claims` request (OpenID Connect for Identity Assurance 1.0 cl. 6)."""

    target: str
    """`id_token` or `userinfo`."""
    trust_frameworks: tuple[str, ...] = ()
    """Acceptable values; empty = any."""
    max_age_s: int | None = None
    """How old the verification may be."""
    claims: tuple[str, ...] = ()
    essential: tuple[str, ...] = ()
    verification: dict[str, object] = field(default_factory=dict)
    """What is asked of the verification, as it came; empty = all there is."""
    wanted: dict[str, object] = field(default_factory=dict)
    """The conditions on claims, as they came."""
    satisfiable: bool = True
    """False when the request constrains something that we never deliver: it is then omitted, as the standard wants."""


@dataclass(frozen=True, slots=True)
class ClaimsRequest:
    """The `claims` parameter (OpenID Connect Core cl. 5.5), reduced to what we can deliver."""

    id_token: tuple[str, ...] = ()
    userinfo: tuple[str, ...] = ()
    essential: tuple[str, ...] = ()
    verified: tuple[VerifiedClaimsRequest, ...] = ()
    acr_values: tuple[str, ...] = ()
    acr_essential: bool = False
    subject: str | None = None
    """The `sub` that must be the answer's (Core cl. 5.5.1), as this relying party knows it."""


class Target(StrEnum):
    """Where the outcome of a login goes."""

    PORTAL = "portal"
    """Back through the browser to the relying party's redirect URI."""
    DEVICE = "device"
    """To a device that polls (RFC 8628); the browser sees a closing page."""
    BACKCHANNEL = "backchannel"
    """To a portal's backend that polls (OpenID Connect CIBA); the browser sees a closing page."""
    ACCOUNT = "account"
    """Nowhere: the person opens their own account page."""


@dataclass(frozen=True, slots=True)
class DocumentToSign:
    """One `sign_document` element of `authorization_details` (RFC 9396 cl. 2): one named document, and no other."""

    label: str
    """The document's name, as the person reads it on the consent page."""
    digest: str
    """SHA-256 of the document's bytes, base64url without padding."""


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """A request that passed every check of its relying party's profile."""

    client_id: str
    redirect_uri: str
    """Empty when the outcome does not go through the browser."""
    scope: tuple[str, ...]
    code_challenge: str
    state: str | None = None
    nonce: str | None = None
    prompt: tuple[str, ...] = ()
    max_age_s: int | None = None
    wanted_levels: tuple[AssuranceLevel, ...] = ()
    """The levels of `acr_values` in the portal's order; empty = any."""
    claims: ClaimsRequest = field(default_factory=ClaimsRequest)
    ui_locales: tuple[str, ...] = ()
    login_hint: str | None = None
    connector: str | None = None
    hinted_subject: str | None = None
    """`sub` of a verified `id_token_hint`."""
    response_mode: str = "query"
    """`query`, or `jwt` for a signed response (JARM)."""
    resources: tuple[str, ...] = ()
    """RFC 8707: the APIs that the access token is for; empty = the default one."""
    documents: tuple[DocumentToSign, ...] = ()
    """RFC 9396: what may be signed; empty = nothing is named."""
    dpop_jkt: str | None = None
    """RFC 9449 cl. 10: the key that must redeem the code."""
    pushed: str | None = None
    """RFC 9126: the store's key of the pushed request that this login spends."""
    target: Target = Target.PORTAL
    decoupled: str | None = None
    """The device's or back-channel request that this login answers."""
    binding_message: str = ""
    """What the person compares with the other screen (CIBA cl. 7.1; the user code of RFC 8628)."""

    @property
    def minimum_level(self) -> AssuranceLevel | None:
        """The lowest level that the portal takes."""
        return min(self.wanted_levels, default=None, key=lambda level: level.value)

    def told_level(self, reached: AssuranceLevel) -> AssuranceLevel:
        """Return the level that the answer names: of an essential `acr` one that was asked for (Core cl. 5.5.1.1), never a higher one."""
        asked = [level for level in self.wanted_levels if level <= reached] if self.claims.acr_essential else []
        return max(asked, default=reached, key=lambda level: level.value)


@dataclass(frozen=True, slots=True)
class CheckDetail:
    """One check of the permit step, as the attestation reports it (`check_details` of the identity assurance schema)."""

    check_method: str
    organization: str
    txn: str
    time: str


@dataclass(frozen=True, slots=True)
class PermitEvidence:
    """What a verified permit attestation proves of one person."""

    person: str
    verified_at: datetime
    attestation: str
    """The attestation's `jti`."""
    document_type: str
    issuing_country: str
    document_reference: str
    checks: tuple[CheckDetail, ...]


@dataclass(frozen=True, slots=True)
class SignIn:
    """A sign-in session: who signed in upstream, how, and when."""

    session: str
    """Public id of the session: the hash of the cookie's secret, which nobody can turn back."""
    person: str
    connector: str
    region: Region
    trust_framework: str
    account_level: str
    session_method: str
    amr: tuple[str, ...]
    authenticated_at: datetime
    expires_at: datetime
    signer: str | None = None
    permit: PermitEvidence | None = None
    replaced: tuple[str, ...] = ()
    """Earlier sessions of the same person in this browser: what they gave still stands, and ends with this one."""


@dataclass(frozen=True, slots=True)
class UpstreamAttempt:
    """One visit to an upstream."""

    connector: str
    state: str | None = None
    """Set when the browser was sent; None while only chosen."""
    returned: bool = False
    """The browser came back once; a second return is not taken."""
    reference: str | None = None
    """Set while the upstream's late answer is awaited."""
    deadline: datetime | None = None


@dataclass(frozen=True, slots=True)
class PermitStep:
    """The permit step of one login, bound to one person."""

    person: str
    done: bool = False
    """The attestation came and was accepted."""
    refusal: str | None = None
    """Code of the permit check's refusal."""


@dataclass(frozen=True, slots=True)
class ConsentDecision:
    """What one person decided in this login."""

    person: str
    agreed: bool
    granted: tuple[str, ...] = ()
    declined: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LoginTransaction:
    """One login in progress, bound to one browser."""

    id: str
    """Opaque and public: the correlation of the audit events."""
    request: AuthorizationRequest
    created_at: datetime
    expires_at: datetime
    csrf: str
    version: int = 0
    attempt: UpstreamAttempt | None = None
    session: str | None = None
    """The sign-in session that this very login created."""
    permit: PermitStep | None = None
    consent: ConsentDecision | None = None
    notice: str | None = None
    """Code of the last upstream refusal, shown above the choice."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What an upstream last told of a person; one row per upstream account."""

    connector: str
    person: str
    name_latin: str
    name_chinese: str
    birthdate: str
    gender: str
    document_type: str
    document_number: str


@dataclass(frozen=True, slots=True)
class ConsentRecord:
    """A recorded consent: who, what, to whom, why, across which border, until when."""

    id: str
    person: str
    client_id: str
    granted: tuple[str, ...]
    declined: tuple[str, ...]
    purpose: str
    source_region: Region
    destination_region: Region
    locale: str
    given_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class CodeConditions:
    """Under which conditions a one-time code is redeemed; the code itself is only ever stored hashed."""

    redirect_uri: str
    code_challenge: str
    nonce: str | None
    expires_at: datetime
    dpop_jkt: str | None = None


@dataclass(frozen=True, slots=True)
class Grant:
    """What was granted to a relying party by one login, or to the relying party itself (client credentials)."""

    id: str
    client_id: str
    person: str
    """Empty for a grant to the relying party itself."""
    session: str
    """The sign-in session; empty when there is none."""
    correlation: str
    subject: str
    """The pairwise subject; of a grant to the relying party itself its client_id (RFC 9068 cl. 2.2)."""
    scope: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    id_token_claims: dict[str, object]
    userinfo_claims: dict[str, object]
    offline: bool = False
    """Outlives the sign-in session (`offline_access`, OpenID Connect Core cl. 11)."""
    refreshable: bool = False
    resources: tuple[str, ...] = ()
    documents: tuple[DocumentToSign, ...] = ()
    conditions: CodeConditions | None = None
    """Set when the grant waits behind an authorization code."""


@dataclass(frozen=True, slots=True)
class DecoupledRequest:
    """A request whose person is at another device: RFC 8628 device authorization, or CIBA."""

    id: str
    request: AuthorizationRequest
    created_at: datetime
    expires_at: datetime
    interval_s: int
    user_code: str = ""
    """What the person types (device); empty for CIBA."""
    person: str = ""
    """Who must answer (CIBA); empty when whoever holds the code may (device)."""
    dpop_jkt: str | None = None


@dataclass(frozen=True, slots=True)
class SessionOverview:
    """One of a person's sign-in sessions, as the account page lists it."""

    sign_in: SignIn
    current: bool = False


@dataclass(frozen=True, slots=True)
class LogoutNotice:
    """One relying party that must hear of the end of a session (OpenID Connect Back-Channel Logout 1.0 cl. 2.5)."""

    id: str
    client_id: str
    uri: str
    subject: str
    sid: str
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class InitialAccessToken:
    """What lets a stranger register a relying party (RFC 7591 cl. 3): so many times, until then."""

    id: str
    note: str
    uses_left: int
    expires_at: datetime
