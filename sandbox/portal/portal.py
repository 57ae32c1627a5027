"""The portal's own state: its key, its errands, and what each has reached.

Owns:    `Portal`: an errand from the first click to the signed document. Leaves HTTP pages to `routes`, OAuth to `relying_party`.
Rules:   1 a state value serves once; an unknown one is refused
         2 what is shown of tokens cannot be used: their signature is cut off
         3 errands live in memory, at most `MAX_ERRANDS`; the oldest goes first
"""

import asyncio
import json
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from joserfc.jwk import ECKey

from sandbox.portal.elsewhere import CIBA_GRANT, DEVICE_GRANT, Elsewhere
from sandbox.portal.errors import ErrandNotReady, ErrandUnknown, PortalError, TokenRefused
from sandbox.portal.relying_party import (
    SCOPE,
    TAMPERS,
    Attempt,
    Identity,
    ProviderClient,
    authorize_url,
    new_attempt,
)
from sandbox.portal.signing_client import SigningClient
from sandbox.portal.verification import (
    check_response,
    check_userinfo,
    verified_holder,
    verify_id_token,
    without_signature,
)
from trust_lists.clock import Clock

CLIENT_ID = "portal-gd-bank"
MAX_ERRANDS = 1_000
TIMEOUT_S = 20.0
MakeDocument = Callable[[Mapping[str, str]], bytes]


@dataclass(slots=True)
class PortalErrand:
    """One citizen's errand at this portal."""

    id: str
    attempt: Attempt
    tamper: str | None
    browser: str | None = None
    """Secret of the browser's cookie, when the errand was started at the portal's own page."""
    error: dict[str, str] | None = None
    verified: dict[str, object] | None = None
    tokens: dict[str, str] = field(default_factory=dict)
    access_token: str = ""
    holder: dict[str, str] = field(default_factory=dict)
    application: bytes | None = None
    transaction: str | None = None
    sign_url: str | None = None


class Portal:
    """A simulated bank in Guangdong."""

    def __init__(
        self,
        directory: Path,
        service_url: str,
        base_url: str,
        clock: Clock,
        *,
        http: httpx.AsyncClient | None = None,
        make_document: MakeDocument | None = None,
    ) -> None:
        """Load or make the portal's key.

        Args:
            directory: where the portal keeps its key.
            service_url: the provider's issuer, and the base of its APIs.
            base_url: the sandbox's own address; the portal is at `/portal` below it.
            clock: time.
            http: the client for the back channel; by default a real one.
            make_document: makes the application form from the verified person's name and birth date.
        """
        self._clock = clock
        self._make_document = make_document or _mortgage_form
        self._http = http or httpx.AsyncClient(timeout=TIMEOUT_S, follow_redirects=False)
        self._identity = Identity(CLIENT_ID, f"{base_url}/portal/callback", _load_key(directory / "portal-key.json"))
        self._provider = ProviderClient(service_url, self._http)
        self._signing = SigningClient(service_url, self._http)
        self.elsewhere = Elsewhere(self._provider, self._identity, clock)
        self._errands: OrderedDict[str, PortalErrand] = OrderedDict()
        self._by_state: dict[str, str] = {}

    async def close(self) -> None:
        """Close the back channel."""
        await self._http.aclose()

    def registration(self) -> dict[str, object]:
        """Return what this portal registers, in RFC 7591 member names."""
        public = ECKey.import_key(dict(self._identity.private_jwk)).as_dict(private=False)
        return {
            "client_id": CLIENT_ID,
            "client_name": "Guangdong Sample Bank (simulated)",
            "client_name#zh-Hant": "廣東示例銀行（模擬）",
            "client_name#zh-Hans": "广东示例银行（模拟）",
            "client_name#pt": "Banco de Exemplo de Guangdong (simulado)",
            "redirect_uris": [self._identity.redirect_uri],
            "post_logout_redirect_uris": [self._identity.redirect_uri.removesuffix("/callback")],
            "token_endpoint_auth_method": "private_key_jwt",
            "grant_types": ["authorization_code", DEVICE_GRANT, CIBA_GRANT],
            "response_types": ["code"],
            "scope": SCOPE,
            "subject_type": "pairwise",
            "id_token_signed_response_alg": "ES256",
            "gba_region": "gd",
            "gba_purpose": "跨境按揭申请 · Cross-border mortgage application",
            "jwks": {"keys": [public]},
        }

    async def start(
        self, *, tamper: str | None = None, extra: Mapping[str, str] | None = None, browser: str | None = None
    ) -> tuple[PortalErrand, str]:
        """Start an errand; return it with the address where the browser signs in."""
        if tamper is not None and tamper not in TAMPERS:
            raise PortalError("tamper_unknown", "This portal has no such fault")
        errand = PortalErrand(secrets.token_urlsafe(12), new_attempt(), tamper, browser)
        url = authorize_url(await self._provider.metadata(), self._identity, errand.attempt, extra or {})
        self._errands[errand.id] = errand
        self._by_state[errand.attempt.state] = errand.id
        if len(self._errands) > MAX_ERRANDS:
            _, oldest = self._errands.popitem(last=False)
            self._by_state.pop(oldest.attempt.state, None)
        return errand, url

    def errand(self, identifier: str) -> PortalErrand:
        """Return an errand.

        Raises:
            ErrandUnknown: none of this identifier.
        """
        errand = self._errands.get(identifier)
        if errand is None:
            raise ErrandUnknown
        return errand

    def subject_of(self, identifier: str) -> str:
        """Return the subject by which this portal knows whoever signed in for an errand; empty before."""
        return str((self.errand(identifier).verified or {}).get("sub") or "")

    async def finish_login(self, parameters: Mapping[str, str], *, browser: str | None) -> PortalErrand:
        """Take the browser's return; an error is kept with the errand.

        Raises:
            TokenRefused: no errand waits for this state in this browser.
        """
        errand = self._errands.get(self._by_state.pop(parameters.get("state", ""), ""))
        if errand is None or (errand.browser is not None and errand.browser != browser):
            raise TokenRefused("state_unknown", "This answer belongs to no errand that was started here")
        try:
            await self._verify(errand, parameters)
        except PortalError as error:
            errand.error = {"code": error.code, "detail": error.detail}
        return errand

    async def _verify(self, errand: PortalErrand, parameters: Mapping[str, str]) -> None:
        provider, at = self._provider, self._clock()
        issuer = str((await provider.metadata())["issuer"])
        code = check_response(parameters, issuer=issuer)
        tokens = await provider.redeem(self._identity, errand.attempt, code, tamper=errand.tamper, at=at)
        id_token, access_token = str(tokens.get("id_token")), str(tokens.get("access_token"))
        claims = verify_id_token(
            id_token,
            await provider.keys(),
            issuer=issuer,
            client_id=CLIENT_ID,
            nonce=errand.attempt.nonce,
            access_token=access_token,
            at=self._clock(),
        )
        userinfo = await provider.userinfo(access_token)
        check_userinfo(userinfo, claims)
        errand.access_token = access_token
        errand.tokens = {"id_token": without_signature(id_token), "access_token": without_signature(access_token)}
        errand.holder = verified_holder(claims)
        errand.verified = {
            **{
                name: claims.get(name)
                for name in ("iss", "aud", "sub", "acr", "amr", "auth_time", "upstream", "verified_claims")
            },
            "userinfo_claims": sorted(userinfo),
            "verifier": "python-jose, ES256 pinned",
        }

    def evidence(self, identifier: str) -> dict[str, object]:
        """Return what the portal verified, or why it did not; nothing here can be used as a token."""
        errand = self.errand(identifier)
        status = "refused" if errand.error else "verified" if errand.verified else "started"
        return {
            "simulated": True,
            "errand": errand.id,
            "status": status,
            "error": errand.error,
            "verified": errand.verified,
            "tokens": errand.tokens,
            "transaction": errand.transaction,
        }

    async def post_document(self, identifier: str) -> PortalErrand:
        """Make the application form and ask the service to have it signed.

        Raises:
            ErrandNotReady: nobody has signed in.
            ProviderRefused: the signing API refuses.
        """
        errand = self.errand(identifier)
        if not errand.access_token:
            raise ErrandNotReady("The citizen has not signed in yet")
        errand.application = await asyncio.to_thread(self._make_document, errand.holder)
        errand.transaction, errand.sign_url = await self._signing.open_transaction(
            errand.access_token, errand.application, name="cross-border-mortgage-application.pdf"
        )
        return errand

    def application(self, identifier: str) -> bytes:
        """Return the document as it was sent to be signed."""
        errand = self.errand(identifier)
        if errand.application is None:
            raise ErrandNotReady("No document was sent to be signed yet")
        return errand.application

    async def signing_status(self, identifier: str) -> dict[str, object]:
        """Return the service's word on the signing transaction."""
        errand = self._with_transaction(identifier)
        return await self._signing.status(errand.access_token, str(errand.transaction))

    async def signed_document(self, identifier: str) -> bytes:
        """Return the signed document."""
        errand = self._with_transaction(identifier)
        return await self._signing.document(errand.access_token, str(errand.transaction))

    def _with_transaction(self, identifier: str) -> PortalErrand:
        errand = self.errand(identifier)
        if errand.transaction is None:
            raise ErrandNotReady("No document was sent to be signed yet")
        return errand


def _mortgage_form(holder: Mapping[str, str]) -> bytes:
    from sandbox.mortgage_form import make_mortgage_form  # noqa: PLC0415 - slow import, only where a form is made

    return make_mortgage_form(holder)


def _load_key(path: Path) -> dict[str, str]:
    """Load the portal's key; on the first start make it, readable by its owner only."""
    if path.exists():
        return {str(name): str(value) for name, value in json.loads(path.read_text(encoding="utf-8")).items()}
    key = ECKey.generate_key("P-256", {"kid": f"portal-{secrets.token_hex(4)}", "use": "sig", "alg": "ES256"})
    members = {str(name): str(value) for name, value in key.as_dict(private=True).items() if isinstance(value, str)}
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(path.name + ".new")
    draft.touch(mode=0o600)
    draft.write_text(json.dumps(members), encoding="utf-8")
    draft.replace(path)
    return members
