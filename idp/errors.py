"""Every way in which the provider says no.

Owns:    the error tree and the codes; the refusals that are shown to a person stand in
         `page_errors`. Leaves HTTP statuses and shapes to the doors (`oauth_responses`, and `service` for its own table).
Rules:   1 `code` is the standard's own word where a standard has one
         2 a message is fit to be shown outside: no secret, no personal data, nothing of the inside
         3 *refused* = what was sent is not acceptable; *unavailable* = an edge failed, the cause is chained

    IdpError
    ├── IdpRefused
    │   ├── ProtocolError                       the standard's error, sent where the standard sends it
    │   │   ├── InvalidRequest · UnauthorizedClient · AccessDenied · UnsupportedResponseType · InvalidScope
    │   │   ├── LoginRequired · InteractionRequired · ConsentRequired · AccountSelectionRequired
    │   │   ├── UnmetAuthenticationRequirements
    │   │   ├── RequestNotSupported · RequestUriNotSupported · RegistrationNotSupported · InvalidTarget
    │   │   ├── InvalidClient · InvalidGrant · UnsupportedGrantType · UnsupportedTokenType   (token, introspection, revocation)
    │   │   ├── InvalidToken · InsufficientScope · InsufficientUserAuthentication    (RFC 6750, RFC 9470)
    │   │   ├── InvalidRequestUri · InvalidAuthorizationDetails          (RFC 9126, RFC 9396)
    │   │   ├── AuthorizationPending · SlowDown · ExpiredToken           (RFC 8628, CIBA)
    │   │   ├── UnknownUserId · InvalidBindingMessage (CIBA cl. 13)
    │   │   ├── InvalidRequestObject · InvalidDpopProof · UseDpopNonce   (RFC 9101, RFC 9449)
    │   │   ├── InvalidSoftwareStatement · UnapprovedSoftwareStatement   (RFC 7591)
    │   │   └── InvalidClientMetadata · InvalidRedirectUri               (RFC 7591)
    │   ├── PageError                           may never travel through a redirect: shown to the person
    │   │   ├── UnknownRelyingParty · UnregisteredRedirectUri · MalformedRequest · UnknownPushedRequest · RequestObjectRefused
    │   │   ├── UnknownDeviceCode · NothingToAnswer
    │   │   ├── LoginExpired · LoginNotYours · LoginStepRepeated · FormRefused
    │   │   └── UnknownConnector
    │   ├── JoseRefused                         a signed or encrypted object does not hold; its reader says so in its standard's word
    │   ├── TooManyRequests
    │   ├── UnknownClient · UnknownInitialToken (the command: no such relying party, no such token)
    │   └── UpstreamRefused  (also an UpstreamError)
    │       ├── UpstreamDenied                  the person said no at the upstream
    │       ├── UpstreamNotGenuine              signature, state, envelope or shape is wrong
    │       ├── UpstreamCodeRefused             the upstream does not know our code, or no longer
    │       ├── UpstreamAccountRefused          this account may not do this
    │       └── UpstreamTimedOut                the person did not finish in time
    └── IdpUnavailable
        ├── StoreUnavailable
        ├── PermitStepUnavailable
        └── UpstreamUnavailable  (also an UpstreamError)   dead, slow, or answers with its own failure
"""


class IdpError(Exception):
    """The root: anything that the provider refuses or cannot do."""

    code: str = "server_error"

    def __init__(self, message: str = "") -> None:
        """Keep a message that may be shown outside."""
        super().__init__(message or type(self).__doc__ or self.code)


class IdpRefused(IdpError):
    """What was sent is not acceptable."""


class IdpUnavailable(IdpError):
    """An edge failed; trying again later may help."""

    code = "temporarily_unavailable"


# --- the standard's errors -------------------------------------------------------------------------------------------


class ProtocolError(IdpRefused):
    """An error that OAuth 2.0 or OpenID Connect names."""

    @property
    def description(self) -> str:
        r"""The `error_description`: printable ASCII without `"` and `\` (RFC 6749 cl. 5.2)."""
        return "".join(c if " " <= c <= "~" and c not in '"\\' else "?" for c in str(self))[:300]


class InvalidRequest(ProtocolError):
    """The request lacks a parameter, repeats one, or has an unacceptable value."""

    code = "invalid_request"


class UnauthorizedClient(ProtocolError):
    """This relying party may not use this grant."""

    code = "unauthorized_client"


class AccessDenied(ProtocolError):
    """The person declined."""

    code = "access_denied"


class UnsupportedResponseType(ProtocolError):
    """Only `response_type=code` is offered."""

    code = "unsupported_response_type"


class InvalidScope(ProtocolError):
    """The scope is unknown, malformed, or more than was registered."""

    code = "invalid_scope"


class LoginRequired(ProtocolError):
    """Nobody is signed in, and `prompt=none` forbids to ask (OpenID Connect Core cl. 3.1.2.6)."""

    code = "login_required"


class InteractionRequired(ProtocolError):
    """A step with the person is needed, and `prompt=none` forbids it."""

    code = "interaction_required"


class ConsentRequired(ProtocolError):
    """Consent is needed, and `prompt=none` forbids to ask."""

    code = "consent_required"


class AccountSelectionRequired(ProtocolError):
    """The person would have to choose an account, and `prompt=none` forbids to ask."""

    code = "account_selection_required"


class UnmetAuthenticationRequirements(ProtocolError):
    """The level or evidence asked for cannot be had (OpenID Connect Core Unmet Authentication Requirements 1.0)."""

    code = "unmet_authentication_requirements"


class RequestNotSupported(ProtocolError):
    """The `request` parameter is not supported (OpenID Connect Core cl. 6.1)."""

    code = "request_not_supported"


class RequestUriNotSupported(ProtocolError):
    """The `request_uri` parameter is not supported (OpenID Connect Core cl. 6.2)."""

    code = "request_uri_not_supported"


class RegistrationNotSupported(ProtocolError):
    """The `registration` parameter is not supported (OpenID Connect Core cl. 7.2.1)."""

    code = "registration_not_supported"


class InvalidTarget(ProtocolError):
    """The resource is not one of ours (RFC 8707 cl. 2)."""

    code = "invalid_target"


class InvalidClient(ProtocolError):
    """Client authentication failed."""

    code = "invalid_client"


class InvalidGrant(ProtocolError):
    """The code is not valid, or was used, or belongs to another request."""

    code = "invalid_grant"


class UnsupportedGrantType(ProtocolError):
    """This grant type is not offered."""

    code = "unsupported_grant_type"


class UnsupportedTokenType(ProtocolError):
    """This type of token cannot be revoked here (RFC 7009 cl. 2.2.1)."""

    code = "unsupported_token_type"


class InvalidToken(ProtocolError):
    """The access token is malformed, expired, revoked or not ours."""

    code = "invalid_token"


class InvalidRequestUri(ProtocolError):
    """The request_uri is unknown, spent, expired, or another relying party's (RFC 9101 cl. 7, RFC 9126 cl. 4)."""

    code = "invalid_request_uri"


class InvalidAuthorizationDetails(ProtocolError):
    """authorization_details cannot be understood or granted (RFC 9396 cl. 5)."""

    code = "invalid_authorization_details"


class AuthorizationPending(ProtocolError):
    """The person has not decided yet (RFC 8628 cl. 3.5)."""

    code = "authorization_pending"


class SlowDown(ProtocolError):
    """The polls come too fast: five seconds more between them (RFC 8628 cl. 3.5)."""

    code = "slow_down"


class ExpiredToken(ProtocolError):
    """The request expired before the person decided (RFC 8628 cl. 3.5, CIBA cl. 11)."""

    code = "expired_token"


class UnknownUserId(ProtocolError):
    """The hint names nobody who has used this portal (CIBA cl. 13)."""

    code = "unknown_user_id"


class InvalidBindingMessage(ProtocolError):
    """The binding message is too long or not plain text (CIBA cl. 13)."""

    code = "invalid_binding_message"


class InsufficientUserAuthentication(ProtocolError):
    """The sign-in behind the access token is not strong or not fresh enough for this (RFC 9470 cl. 3)."""

    code = "insufficient_user_authentication"

    def __init__(self, message: str, *, acr_values: str, max_age_s: int) -> None:
        """Keep what the portal must ask for."""
        super().__init__(message)
        self.acr_values = acr_values
        self.max_age_s = max_age_s


class InsufficientScope(ProtocolError):
    """The access token does not carry the scope."""

    code = "insufficient_scope"


class InvalidClientMetadata(ProtocolError):
    """A registration value is not acceptable (RFC 7591 cl. 3.2.2)."""

    code = "invalid_client_metadata"


class InvalidRedirectUri(ProtocolError):
    """A redirect URI of the registration is not acceptable (RFC 7591 cl. 3.2.2)."""

    code = "invalid_redirect_uri"


class InvalidSoftwareStatement(ProtocolError):
    """The software statement is malformed, expired, or its signature does not hold (RFC 7591 cl. 3.2.2)."""

    code = "invalid_software_statement"


class UnapprovedSoftwareStatement(ProtocolError):
    """Whoever signed the software statement is not trusted here (RFC 7591 cl. 3.2.2)."""

    code = "unapproved_software_statement"


class InvalidRequestObject(ProtocolError):
    """The request object does not verify, or its claims are not acceptable (RFC 9101 cl. 7)."""

    code = "invalid_request_object"


class InvalidDpopProof(ProtocolError):
    """The DPoP proof is missing, malformed, for another request, or does not hold (RFC 9449 cl. 5)."""

    code = "invalid_dpop_proof"


class UseDpopNonce(ProtocolError):
    """The DPoP proof must carry our nonce (RFC 9449 cl. 8)."""

    code = "use_dpop_nonce"

    def __init__(self, nonce: str) -> None:
        """Keep the nonce that the answer hands out in its `DPoP-Nonce` header."""
        super().__init__()
        self.nonce = nonce


# --- others ----------------------------------------------------------------------------------------------------------


class TooManyRequests(IdpRefused):
    """Too many requests; `retry_after_s` says when to come back."""

    code = "too_many_requests"

    def __init__(self, retry_after_s: int) -> None:
        """Keep the honest time to wait."""
        super().__init__(f"Too many requests; try again in {retry_after_s} s")
        self.retry_after_s = retry_after_s


class JoseRefused(IdpRefused):
    """A signed or encrypted object is malformed, not genuine, or not of the expected kind."""

    code = "jose_refused"


class UnknownInitialToken(IdpRefused):
    """No initial access token is known under this identifier."""

    code = "initial_token_not_found"


class UnknownClient(IdpRefused):
    """No relying party is registered under this client_id."""

    code = "client_not_found"


# --- upstream --------------------------------------------------------------------------------------------------------


class UpstreamError(IdpError):
    """An upstream identity provider refused or failed. `upstream_code` is its own return code, when it gave one."""

    code = "upstream_error"

    def __init__(self, message: str = "", *, upstream_code: str = "") -> None:
        """Keep the upstream's own return code beside our message."""
        super().__init__(message)
        self.upstream_code = upstream_code[:32]


class UpstreamRefused(UpstreamError, IdpRefused):
    """The upstream's answer is no, or is not acceptable."""

    code = "upstream_refused"


class UpstreamDenied(UpstreamRefused):
    """The person cancelled or rejected at the upstream."""

    code = "upstream_denied"


class UpstreamNotGenuine(UpstreamRefused):
    """The upstream's answer does not verify, does not belong to this login, or has an unknown shape."""

    code = "upstream_not_genuine"


class UpstreamCodeRefused(UpstreamRefused):
    """The upstream does not accept the code of this return: unknown, used or expired."""

    code = "upstream_code_refused"


class UpstreamAccountRefused(UpstreamRefused):
    """This upstream account may not do what was asked."""

    code = "upstream_account_refused"


class UpstreamTimedOut(UpstreamRefused):
    """The person did not finish at the upstream in time."""

    code = "upstream_timed_out"


class UpstreamUnavailable(UpstreamError, IdpUnavailable):
    """The upstream cannot be reached, is too slow, or fails."""

    code = "upstream_unavailable"


# --- edges -----------------------------------------------------------------------------------------------------------


class StoreUnavailable(IdpUnavailable):
    """The store cannot be read or written now."""


class PermitStepUnavailable(IdpUnavailable):
    """The permit check cannot be reached now."""

    code = "permit_step_unavailable"
