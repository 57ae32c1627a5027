"""A real second OAuth 2.0 server: the upstream that the provider's tests log in at, and the connector that speaks to it.

It issues one-time codes bound to PKCE and redirect URI, and opaque tokens; nothing in it knows our provider. Who signs in is
the person that the test put at its keyboard (`person`), what goes wrong is what the test injects (`fault`).
"""

import base64
import hashlib
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlencode

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from idp.errors import UpstreamCodeRefused, UpstreamDenied, UpstreamNotGenuine, UpstreamUnavailable
from idp.upstream import PendingAssertion, UpstreamAssertion, UpstreamIdentity, UpstreamRedirect
from trust_lists.clock import Clock
from trust_lists.vocabulary import Region


@dataclass(frozen=True)
class Person:
    subject: str
    name_latin: str
    name_chinese: str
    birthdate: str
    gender: str
    level: str
    method: str
    document_number: str = "A1234563"


CHAN = Person("Zm9v%2Bbar%3D", "CHAN, Ka Yan", "陳嘉欣", "19900115", "F", "sign", "fido_app")
WONG = Person("d29uZw%3D", "WONG, Siu Ming", "黃小明", "1985", "M", "basic", "fido_app")


@dataclass
class Peer:
    """The upstream's server."""

    base: str
    clock: Clock
    client_id: str = "gba-broker"
    client_secret: str = "upstream-secret"
    person: Person = CHAN
    fault: str | None = None
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    tokens: dict[str, Person] = field(default_factory=dict)
    logins: int = 0
    logouts: int = 0

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/o/authorize", self.authorize),
                Route("/o/token", self.token, methods=["POST"]),
                Route("/o/userinfo", self.userinfo),
                Route("/o/logout", self.logout),
            ]
        )

    async def authorize(self, request: Request) -> Response:
        asked = request.query_params
        if asked.get("client_id") != self.client_id or asked.get("code_challenge_method") != "S256":
            return JSONResponse({"error": "invalid_request"}, 400)
        if self.fault == "denied":
            answer = {"error": "access_denied", "state": asked["state"]}
        else:
            code = secrets.token_urlsafe(24)
            self.codes[code] = {"challenge": asked["code_challenge"], "redirect_uri": asked["redirect_uri"]}
            state = "another-state" if self.fault == "wrong_state" else asked["state"]
            answer = {"code": code, "state": state}
        self.logins += 1
        return RedirectResponse(f"{asked['redirect_uri']}?{urlencode(answer)}", 302)

    async def logout(self, request: Request) -> Response:
        self.logouts += 1
        return RedirectResponse(request.query_params["return_to"], 302)

    async def token(self, request: Request) -> Response:
        if self.fault == "down":
            return JSONResponse({"error": "server_error"}, 500)
        form = parse_qs((await request.body()).decode())
        known = self.codes.pop(form["code"][0], None)
        verifier = hashlib.sha256(form["code_verifier"][0].encode()).digest()
        challenge = base64.urlsafe_b64encode(verifier).rstrip(b"=").decode()
        good = known is not None and form["client_secret"][0] == self.client_secret
        if not good or known["challenge"] != challenge or known["redirect_uri"] != form["redirect_uri"][0]:
            return JSONResponse({"error": "invalid_grant"}, 400)
        token = secrets.token_urlsafe(24)
        self.tokens[token] = self.person
        return JSONResponse({"access_token": token, "token_type": "Bearer"})

    async def userinfo(self, request: Request) -> Response:
        person = self.tokens.get(request.headers.get("authorization", "").removeprefix("Bearer "))
        if person is None:
            return JSONResponse({"error": "invalid_token"}, 401)
        return JSONResponse({**vars(person), "auth_time": self.clock().timestamp()})


class PeerConnector:
    """Speaks to the peer over HTTP; keeps its PKCE verifiers by transaction."""

    display_names: Mapping[str, str] = {"native": "智方便 iAM Smart", "en": "iAM Smart"}

    def __init__(self, peer: Peer, issuer: str, *, name: str = "iam_smart", region: Region = Region.HK) -> None:
        self.name, self.region = name, region
        self.peer = peer
        self.redirect_uri = f"{issuer}/callback/{name}"
        self.verifiers: dict[str, str] = {}
        self.late: dict[str, UpstreamAssertion | None] = {}
        self.answer_later = False
        self.ends_sessions = False
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(peer.app()), base_url=peer.base)

    async def use(self, client: httpx.AsyncClient) -> None:
        """Speak to the peer through another client: the peer is served at a socket."""
        await self.close()
        self._client = client

    async def close(self) -> None:
        await self._client.aclose()

    async def begin(self, transaction: str, *, state: str, locale: str) -> UpstreamRedirect:
        if self.peer.fault == "dead":
            raise UpstreamUnavailable
        verifier = secrets.token_urlsafe(48)
        self.verifiers[transaction] = verifier
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "client_id": self.peer.client_id,
            "redirect_uri": self.redirect_uri,
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "lang": locale,
        }
        return UpstreamRedirect(f"{self.peer.base}/o/authorize?{urlencode(query)}")

    async def exchange(self, transaction: str, *, query: str, state: str) -> UpstreamAssertion | PendingAssertion:
        answer = parse_qs(query)
        if answer.get("state") != [state]:
            raise UpstreamNotGenuine
        if "code" not in answer:
            raise UpstreamDenied(upstream_code=answer.get("error", [""])[0])
        form = {
            "grant_type": "authorization_code",
            "code": answer["code"][0],
            "redirect_uri": self.redirect_uri,
            "client_id": self.peer.client_id,
            "client_secret": self.peer.client_secret,
            "code_verifier": self.verifiers.pop(transaction, ""),
        }
        response = await self._client.post("/o/token", data=form)
        if response.status_code >= 500:
            raise UpstreamUnavailable(upstream_code=str(response.status_code))
        if response.status_code != 200:
            raise UpstreamCodeRefused(upstream_code=response.json()["error"])
        token = response.json()["access_token"]
        told = (await self._client.get("/o/userinfo", headers={"Authorization": f"Bearer {token}"})).json()
        assertion = self._assertion(told)
        if not self.answer_later:
            return assertion
        reference = secrets.token_urlsafe(8)
        self.late[reference] = None
        self._promised = assertion
        return PendingAssertion(reference, self.peer.clock() + timedelta(minutes=5))

    async def collect(self, reference: str) -> UpstreamAssertion | PendingAssertion:
        if reference not in self.late:
            raise UpstreamNotGenuine
        return self.late[reference] or PendingAssertion(reference, self.peer.clock() + timedelta(minutes=5))

    def deliver(self) -> None:
        """The upstream's server callback arrives."""
        for reference in self.late:
            self.late[reference] = self._promised

    def logout_url(self, *, return_to: str) -> str | None:
        return f"{self.peer.base}/o/logout?{urlencode({'return_to': return_to})}" if self.ends_sessions else None

    def routes(self) -> Sequence[BaseRoute]:
        return []

    def _assertion(self, told: dict[str, object]) -> UpstreamAssertion:
        return UpstreamAssertion(
            connector=self.name,
            region=self.region,
            trust_framework={"iam_smart": "hk_iam_smart", "guangdong": "cn_gd_unified_identity"}[self.name],
            subject=str(told["subject"]),
            account_level=str(told["level"]),
            session_method=str(told["method"]),
            amr=("hwk", "user"),
            authenticated_at=datetime.fromtimestamp(float(str(told["auth_time"])), self.peer.clock().tzinfo),
            identity=UpstreamIdentity(
                name_latin=str(told["name_latin"]),
                name_chinese=str(told["name_chinese"]),
                birthdate=str(told["birthdate"]),
                gender=str(told["gender"]),
                document_type="hkid",
                document_number=str(told["document_number"]),
            ),
            signer=f"{self.name}:{secrets.token_urlsafe(8)}" if told["level"] == "sign" else None,
        )


def another(person: Person, **changes: str) -> Person:
    return replace(person, **changes)
