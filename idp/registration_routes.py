"""The registration doors: a portal registers itself, and looks after its registration.

Owns:    `/register`, `/register/{client_id}`. Leaves the rules of a registration to `relying_parties`, statements to `proof`.
Rules:   1 nobody registers without an initial access token, which an operator made and which runs out
         2 what is registered here begins with little: no scope that concerns signing or permits unless a software statement of a
           trusted issuer says so, and never the right to exchange tokens
         3 nobody joins another's sector by themselves: its people would be known here by the same subjects (Core cl. 8.1)
         4 a registration is managed with its own token, which changes at every update (RFC 7592 cl. 3); a wrong one says 401, whatever
           the client_id, so that nobody learns who is registered
Spec:    RFC 7591 cl. 3; RFC 7592; OpenID Connect Dynamic Client Registration 1.0 cl. 3, 4
"""

import hmac
import secrets
from collections.abc import Mapping

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from idp.browser import read_body
from idp.deps import IdpDeps
from idp.errors import InvalidClientMetadata, InvalidToken
from idp.hashes import hash_token
from idp.oauth_responses import NO_STORE, answered, json_response
from idp.proof.software_statements import MEMBER, join_software_statement, verify_software_statement
from idp.protocol import ClientAuthMethod, GrantType, Scope
from idp.rate_limits import RateLimiter
from idp.relying_parties import (
    RelyingParty,
    hash_secret,
    new_client_id,
    new_secret,
    parse_registration,
    registration_document,
)

MAX_DOCUMENT_BYTES = 65_536
_OPERATOR_ONLY = frozenset({GrantType.TOKEN_EXCHANGE.value})
_STATED_ONLY = frozenset({Scope.PERMIT.value, Scope.SIGNING.value})
_SECTOR_MEMBERS = frozenset({"redirect_uris", "sector_identifier_uri"})
_IGNORED = frozenset({"client_id", "client_secret", "registration_access_token", "registration_client_uri",
                      "client_id_issued_at", "client_secret_expires_at"})  # fmt: skip
_SECRET_METHODS = frozenset({ClientAuthMethod.CLIENT_SECRET_BASIC, ClientAuthMethod.CLIENT_SECRET_POST})


class RegistrationRoutes:
    """Dynamic registration and its management."""

    def __init__(self, deps: IdpDeps, limiter: RateLimiter) -> None:
        self._deps = deps
        self._limiter = limiter

    def routes(self) -> list[Route]:
        """Return the routes."""
        return [
            Route("/register", answered(self.register, self._deps), methods=["POST"]),
            Route("/register/{client_id}", answered(self.read, self._deps), methods=["GET"]),
            Route("/register/{client_id}", answered(self.update, self._deps), methods=["PUT"]),
            Route("/register/{client_id}", answered(self.delete, self._deps), methods=["DELETE"]),
        ]

    async def register(self, request: Request) -> Response:
        """`POST /register` (RFC 7591 cl. 3.1)."""
        deps, at = self._deps, self._deps.clock()
        self._limiter.check(request, at=at)
        token = _bearer(request)
        document = await self._document(request)
        # 1 who lets the portal in; the document is judged first, so that a typing error costs no use
        client_id = new_client_id()
        party, secret = await self._judged(document, client_id, None)
        used = await deps.store.use_initial_token(hash_token(token), at=at)
        if used is None:
            raise InvalidToken("An initial access token is needed")
        # 2 kept, with the token that manages it
        management = secrets.token_urlsafe(32)
        await deps.store.save_client(party, at=at, registration_token_hash=hash_token(management))
        await self._record("client.registered", client_id, initial_token=used.id)
        return json_response(self._information(party, secret, management, issued_at=int(at.timestamp())), 201)

    async def read(self, request: Request) -> Response:
        """`GET /register/{client_id}` (RFC 7592 cl. 2.1)."""
        party = await self._managed(request)
        return json_response(self._information(party, None, _bearer(request)))

    async def update(self, request: Request) -> Response:
        """`PUT /register/{client_id}` (RFC 7592 cl. 2.2): the whole registration anew."""
        known = await self._managed(request)
        document = await self._document(request)
        if document.get("client_id") != known.client_id:
            raise InvalidClientMetadata("client_id must be the one of this registration")
        if "client_secret" in document and not known.accepts_secret(str(document["client_secret"])):
            raise InvalidClientMetadata("client_secret cannot be chosen")
        party, secret = await self._judged(document, known.client_id, known)
        management = secrets.token_urlsafe(32)
        await self._deps.store.save_client(party, at=self._deps.clock(), registration_token_hash=hash_token(management))
        await self._record("client.updated", known.client_id)
        return json_response(self._information(party, secret, management))

    async def delete(self, request: Request) -> Response:
        """`DELETE /register/{client_id}` (RFC 7592 cl. 2.3): its grants end with it."""
        party = await self._managed(request)
        await self._deps.store.remove_client(party.client_id)
        await self._record("client.removed", party.client_id)
        return Response(status_code=204, headers=NO_STORE)

    async def _document(self, request: Request) -> dict[str, object]:
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise InvalidClientMetadata("The body must be application/json")
        try:
            document = msgspec.json.decode(await read_body(request, MAX_DOCUMENT_BYTES))
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise InvalidClientMetadata("The body is not JSON") from error
        if not isinstance(document, dict):
            raise InvalidClientMetadata("The body is not a JSON object")
        return {name: value for name, value in document.items() if value is not None}  # RFC 7592 cl. 2.2: null = absent

    async def _judged(
        self, document: Mapping[str, object], client_id: str, known: RelyingParty | None
    ) -> tuple[RelyingParty, str | None]:
        """Return the relying party and its new secret, if it needs one."""
        deps = self._deps
        at, statement = deps.clock(), document.get(MEMBER)
        stated = join_software_statement(document, deps.config, at=at)
        proved = frozenset(() if statement is None else verify_software_statement(statement, deps.config, at=at))
        members = {name: value for name, value in stated.items() if name not in _IGNORED}
        members.setdefault("token_endpoint_auth_method", ClientAuthMethod.CLIENT_SECRET_BASIC.value)  # RFC 7591 cl. 2
        party = parse_registration(members, client_id=client_id)
        _check_modest(party, proved=proved)
        if not proved & _SECTOR_MEMBERS:
            await self._check_own_sector(party)
        if party.auth_method not in _SECRET_METHODS:
            return party, None
        if known is not None and known.secret_hash is not None:
            return parse_registration(members, client_id=client_id, secret_hash=known.secret_hash), None
        secret = new_secret()
        return parse_registration(members, client_id=client_id, secret_hash=hash_secret(secret)), secret

    async def _check_own_sector(self, party: RelyingParty) -> None:
        """Rule 3. A registration without people has no sector."""
        if not party.has_users:
            return
        for other in await self._deps.store.list_clients():
            if (
                other.party.client_id != party.client_id
                and other.party.has_users
                and other.party.sector == party.sector
            ):
                raise InvalidClientMetadata("Another relying party stands in this sector; an operator can join it")

    async def _managed(self, request: Request) -> RelyingParty:
        """Rule 4."""
        self._limiter.check(request, at=self._deps.clock())
        token = _bearer(request)
        loaded = await self._deps.store.load_registration(request.path_params["client_id"][:256])
        expected = None if loaded is None else loaded[1]
        if loaded is None or expected is None or not hmac.compare_digest(expected, hash_token(token)):
            raise InvalidToken("The registration access token is not valid")
        return loaded[0]

    def _information(
        self, party: RelyingParty, secret: str | None, management: str, *, issued_at: int | None = None
    ) -> dict[str, object]:
        """RFC 7591 cl. 3.2.1, RFC 7592 cl. 3."""
        document = registration_document(party)
        if secret is not None:
            document |= {"client_secret": secret}
        if party.auth_method in _SECRET_METHODS:
            document |= {"client_secret_expires_at": 0}
        if issued_at is not None:
            document |= {"client_id_issued_at": issued_at}
        return {
            **document,
            "registration_access_token": management,
            "registration_client_uri": f"{self._deps.config.issuer}/register/{party.client_id}",
        }

    async def _record(self, event: str, client_id: str, **detail: str) -> None:
        await self._deps.audit.record(
            event, correlation=secrets.token_urlsafe(9), detail={"client": client_id, **detail}
        )


def _check_modest(party: RelyingParty, *, proved: frozenset[str]) -> None:
    """Rule 2.

    Args:
        party: what would be registered.
        proved: the members that a software statement of a trusted issuer stated.
    """
    if _OPERATOR_ONLY & set(party.grant_types) or party.delegates:
        raise InvalidClientMetadata("Token exchange is registered by an operator only")
    if "scope" not in proved and (beyond := sorted(_STATED_ONLY & set(party.scope))):
        raise InvalidClientMetadata(f"The scope {beyond[0]} needs a software statement, or an operator")


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not 1 <= len(token.strip()) <= 512:
        raise InvalidToken("A bearer token is needed")
    return token.strip()
