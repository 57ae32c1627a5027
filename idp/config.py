"""The provider's settings as one frozen value.

Owns:    lifetimes, limits and the issuer's rules. Leaves the environment to `service.settings`.
Rules:   1 the issuer is https; http only on loopback, and only when `loopback_http` says so (demo mode)
         2 a limit carries its unit in its type or its name
Spec:    OpenID Connect Discovery 1.0 cl. 3 (issuer); RFC 6265bis (`__Host-` cookies); RFC 9700 cl. 2
"""

import ipaddress
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

from cryptography import x509

MTLS_HEADERS = ("", "client-cert", "x-ssl-client-cert")
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True)
class RateLimit:
    """A burst, and how fast it comes back; `per_second=0` means no limit."""

    burst: int
    per_second: float


@dataclass(frozen=True, slots=True)
class IdpConfig:
    """How this provider behaves."""

    issuer: str
    loopback_http: bool = False
    """Accept an http issuer on loopback, with plain cookie names: demo mode only."""
    login_lifetime: timedelta = timedelta(minutes=20)
    """Longer than the 18 minutes of iAM Smart's long poll."""
    code_lifetime: timedelta = timedelta(seconds=60)
    access_token_lifetime: timedelta = timedelta(minutes=15)
    id_token_lifetime: timedelta = timedelta(minutes=10)
    refresh_token_lifetime: timedelta = timedelta(days=30)
    """How long a grant with `offline_access` can be refreshed, counted from the person's agreement."""
    pushed_request_lifetime: timedelta = timedelta(seconds=90)
    """RFC 9126 cl. 2.2; FAPI 2.0 Security Profile cl. 5.3.2.2 (12): less than 600 seconds."""
    device_code_lifetime: timedelta = timedelta(minutes=10)
    backchannel_lifetime: timedelta = timedelta(minutes=5)
    poll_interval_s: int = 5
    """RFC 8628 cl. 3.2, CIBA cl. 7.3."""
    logout_token_lifetime: timedelta = timedelta(minutes=2)
    """Back-Channel Logout 1.0 cl. 2.4 advises two minutes."""
    logout_notice_lifetime: timedelta = timedelta(hours=24)
    """How long a relying party that cannot be reached is told again."""
    step_up_acr: str = "urn:gba-trust:acr:substantial"
    """What our signing API asks of a token (RFC 9470)."""
    step_up_max_age: timedelta = timedelta(hours=8)
    """How old the sign-in behind a token for the signing API may be (RFC 9470 cl. 3)."""
    session_lifetime: timedelta = timedelta(hours=8)
    consent_lifetime: timedelta = timedelta(days=90)
    permit_evidence_lifetime: timedelta = timedelta(minutes=30)
    """How long a permit check serves later logins of the same sign-in session."""
    clock_skew: timedelta = timedelta(seconds=10)
    """How far in the future a relying party's `iat` or `nbf` may be (FAPI 2.0 Security Profile cl. 5.3.2.1)."""
    max_assertion_lifetime: timedelta = timedelta(hours=1)
    """Authlib's client signs for an hour; an assertion is remembered as long, so that it serves once."""
    private_callbacks: bool = False
    """Call relying parties in private networks and over http: demo mode only."""
    mtls_base: str = ""
    """Where clients with certificates call us, when that is another address (RFC 8705 cl. 5); empty = the issuer."""
    dpop_nonces: bool = False
    """Ask for nonces in DPoP proofs (RFC 9449 cl. 8)."""
    max_query_bytes: int = 16_384
    max_form_bytes: int = 65_536
    max_parameters: int = 64
    max_parameter_bytes: int = 8_192
    address_limit: RateLimit = RateLimit(burst=120, per_second=20.0)
    """Browser doors, per address."""
    client_limit: RateLimit = RateLimit(burst=500, per_second=200.0)
    """Back-channel doors, per relying party."""
    user_code_limit: RateLimit = RateLimit(burst=10, per_second=0.1)
    """Tries of user codes, per address (RFC 8628 cl. 5.1)."""
    permit_issuer: str = ""
    """`iss` of permit attestations; empty = our own issuer."""

    # what callers prove
    mtls_header: str = ""
    """Where a trusted proxy reports the client certificate: `client-cert` (RFC 9440), `x-ssl-client-cert` (nginx
    `$ssl_client_escaped_cert`), or nothing: mutual TLS is off."""
    mtls_trusted_proxies: tuple[str, ...] = ()
    """Networks from which that header is believed."""
    mtls_anchors: bytes = b""
    """PEM certificates of the CAs whose client certificates are taken for `tls_client_auth`."""
    dpop_window: timedelta = timedelta(seconds=60)
    """How old the `iat` of a DPoP proof may be (RFC 9449 cl. 11.1)."""
    dpop_ahead: timedelta = timedelta(seconds=15)
    """How far in the future it may be: FAPI 2.0 wants 10 seconds taken."""
    request_object_lifetime: timedelta = timedelta(minutes=60)
    """FAPI 2.0 Message Signing cl. 5.3.1: `exp` at most so far ahead, `nbf` at most so far back."""
    authorization_response_lifetime: timedelta = timedelta(minutes=5)
    """Of a signed authorization response; JARM cl. 2.1 advises at most ten minutes."""
    software_statement_issuers: tuple[tuple[str, str], ...] = ()
    """Who may vouch for software: issuer and its JWK set as JSON text (RFC 7591 cl. 2.3)."""

    def __post_init__(self) -> None:
        """Refuse nonsense at the start.

        Raises:
            ValueError: the issuer is not usable.
        """
        parts = urlsplit(self.issuer)
        if not parts.hostname or parts.query or parts.fragment or parts.username or self.issuer.endswith("/"):
            raise ValueError("the issuer must be a URL without query, fragment, user or trailing slash")
        loopback = parts.scheme == "http" and parts.hostname in LOOPBACK_HOSTS and self.loopback_http
        if parts.scheme != "https" and not loopback:
            raise ValueError("the issuer must be https (http only on loopback in demo mode)")
        self._check_mutual_tls()
        if self.authorization_response_lifetime > timedelta(minutes=10):
            raise ValueError("a signed authorization response must not live longer than ten minutes")

    def _check_mutual_tls(self) -> None:
        if self.mtls_header not in MTLS_HEADERS:
            raise ValueError(f"mtls_header must be one of {', '.join(filter(None, MTLS_HEADERS))}, or empty")
        if self.mtls_header and not self.mtls_trusted_proxies:
            raise ValueError("mtls_header needs mtls_trusted_proxies: from anybody else the header is a lie")
        for network in self.mtls_trusted_proxies:
            ipaddress.ip_network(network)
        if self.mtls_anchors:
            x509.load_pem_x509_certificates(self.mtls_anchors)

    @property
    def secure(self) -> bool:
        """Whether the issuer is https, so that cookies can be `Secure` and carry the `__Host-` prefix."""
        return self.issuer.startswith("https:")

    @property
    def login_cookie(self) -> str:
        """The name of the cookie that binds a login transaction to a browser."""
        return "__Host-gba-login" if self.secure else "gba-login"

    @property
    def session_cookie(self) -> str:
        """The name of the cookie that holds the sign-in session."""
        return "__Host-gba-session" if self.secure else "gba-session"

    @property
    def attestation_issuer(self) -> str:
        """The issuer that permit attestations must name."""
        return self.permit_issuer or self.issuer
