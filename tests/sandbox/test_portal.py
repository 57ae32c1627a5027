"""The sample portal as a real relying party of a real provider: it believes nothing that it has not verified."""

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from idp.app_routes import build_routes
from idp.authorisations import IdpAuthorisations
from idp.relying_parties import parse_registration
from sandbox.portal import CLIENT_ID, Portal, build_portal_routes
from sandbox.portal.errors import TokenRefused
from sandbox.portal.verification import check_response, verify_id_token
from signing.errors import AccessRefused
from tests.support.idp import AT, ISSUER, PORTAL, Browser, Keys, Provider, provider_in


class SigningPeer:
    """The signing API's door as a portal sees it, guarded by the provider's real authorisations."""

    def __init__(self, provider: Provider) -> None:
        self.authorisations = IdpAuthorisations(provider.deps)
        self.documents: dict[str, bytes] = {}
        self.signed = False

    def routes(self) -> list[Route]:
        base = "/api/v1/signing/transactions"
        return [
            Route(base, self.open, methods=["POST"]),
            Route(base + "/{id}", self.status),
            Route(base + "/{id}/document", self.document),
        ]

    async def open(self, request: Request) -> Response:
        try:
            await self.authorisations.portal_access(request, scope="signing")
        except AccessRefused as error:
            return JSONResponse({"code": error.code, "detail": str(error)}, 401)
        async with request.form() as form:
            assert form["level"] == "B-T"
            self.documents["t1"] = await form["document"].read()
        return JSONResponse({"transaction": "t1", "url": f"{ISSUER}/sign/t1"}, 201)

    async def status(self, request: Request) -> Response:
        return JSONResponse({"status": "signed" if self.signed else "created", "error": None})

    async def document(self, request: Request) -> Response:
        if not self.signed:
            return JSONResponse({"code": "transaction_state", "detail": "not signed"}, 409)
        return Response(self.documents["t1"] + b"signature", media_type="application/pdf")


class World:
    """Provider, signing door and portal, joined."""

    def __init__(self, provider: Provider, folder: Path) -> None:
        self.provider, self.signing = provider, SigningPeer(provider)
        service = Starlette(routes=[*self.signing.routes(), Mount("/", routes=build_routes(provider.deps))])
        http = httpx.AsyncClient(transport=httpx.ASGITransport(service))
        self.made: list[dict] = []
        self.portal = Portal(folder, ISSUER, PORTAL, provider.clock, http=http, make_document=self.make)
        self.app = Starlette(routes=build_portal_routes(self.portal))
        self.api = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url=PORTAL)

    def make(self, holder: dict) -> bytes:
        self.made.append(dict(holder))
        return b"%PDF-1.7 form for " + holder["name"].encode()

    async def register(self) -> None:
        party = parse_registration(self.portal.registration(), client_id=CLIENT_ID)
        await self.provider.store.save_client(party, at=AT)

    async def login(self, started: dict, browser: Browser | None = None) -> httpx.Response:
        """Walk the citizen through sign-in, permit and consent; return the redirect back to the portal."""
        browser = browser or self.provider.browser()
        page = await browser.open(started["authorize_url"])
        if not page.is_redirect:
            page = await browser.choose(page)
        page = await browser.pass_permit(page)
        return await browser.agree(page)

    async def start(self, **body: str) -> dict:
        return (await self.api.post("/portal/errands", json=body)).json()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with provider_in(tmp_path) as provider:
        made = World(provider, tmp_path / "portal")
        await made.register()
        yield made
        await made.portal.close()
        await made.api.aclose()


async def test_errand_is_verified_and_nothing_usable_is_shown(world: World) -> None:
    started = await world.start()
    back = await world.login(started)
    page = await world.api.get(back.headers["location"])
    assert page.status_code == 200, page.text
    assert "Simulated" in page.text
    evidence = (await world.api.get(f"/portal/errands/{started['errand']}")).json()
    assert evidence["error"] is None
    verified = evidence["verified"]
    assert verified["acr"] == "urn:gba-trust:acr:substantial"
    assert verified["upstream"]["connector"] == "iam_smart"
    frameworks = [element["verification"]["trust_framework"] for element in verified["verified_claims"]]
    assert frameworks == ["hk_iam_smart", "gba_mutual_recognition"]
    assert "A1234563" not in json.dumps(evidence)
    for token in evidence["tokens"].values():
        assert token.endswith(".")
        async with world.provider.back_channel() as http:
            answer = await http.get("/userinfo", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == 401


@pytest.mark.parametrize("tamper", ["replayed-code", "wrong-pkce"])
async def test_each_fault_ends_in_invalid_grant(world: World, tamper: str) -> None:
    started = await world.start(tamper=tamper)
    page = await world.api.get((await world.login(started)).headers["location"])
    assert page.status_code == 400
    assert '<code id="error-code">invalid_grant</code>' in page.text
    evidence = (await world.api.get(f"/portal/errands/{started['errand']}")).json()
    assert evidence["error"]["code"] == "invalid_grant"
    assert evidence["verified"] is None


async def test_document_goes_to_the_signing_api_and_comes_back(world: World) -> None:
    started = await world.start(connector="iam_smart")
    errand = f"/portal/errands/{started['errand']}"
    early = await world.api.post(f"{errand}/document")
    assert (early.status_code, early.json()["code"]) == (409, "errand_not_ready")
    await world.api.get((await world.login(started)).headers["location"])
    posted = (await world.api.post(f"{errand}/document")).json()
    assert posted == {"transaction": "t1", "url": f"{ISSUER}/sign/t1"}
    assert world.made[0] == {"name": "CHAN, Ka Yan", "name_chinese": "陳嘉欣", "birthdate": "1990-01-15"}
    application = await world.api.get(f"{errand}/application")
    assert application.content == world.signing.documents["t1"]
    assert (await world.api.get(f"{errand}/signing")).json()["status"] == "created"
    refused = await world.api.get(f"{errand}/document")
    assert (refused.status_code, refused.json()["code"]) == (400, "transaction_state")
    world.signing.signed = True
    assert (await world.api.get(f"{errand}/document")).content.endswith(b"signature")


async def test_state_serves_once_and_strangers_have_none(world: World) -> None:
    started = await world.start()
    location = (await world.login(started)).headers["location"]
    assert (await world.api.get(location)).status_code == 200
    again = await world.api.get(location)
    assert (again.status_code, "state_unknown" in again.text) == (400, True)
    for query in ("", "state=x&code=y", "code=a&code=b"):
        assert (await world.api.get(f"/portal/callback?{query}")).status_code == 400


async def test_errand_from_the_page_is_finished_in_the_same_browser_only(world: World) -> None:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(world.app), base_url=PORTAL) as people:
        assert "Simulated" in (await people.get("/portal")).text
        response = await people.post("/portal/start")
        back = await world.login({"authorize_url": response.headers["location"]})
        stranger = await world.api.get(back.headers["location"])
        assert (stranger.status_code, "state_unknown" in stranger.text) == (400, True)


async def test_mix_up_a_response_of_another_issuer_is_refused(world: World) -> None:
    started = await world.start()
    parts = urlsplit((await world.login(started)).headers["location"])
    query = {**dict(parse_qsl(parts.query)), "iss": "https://evil.test"}
    page = await world.api.get(f"/portal/callback?{urlencode(query)}")
    assert "issuer_mismatch" in page.text
    with pytest.raises(TokenRefused):
        check_response({"code": "x"}, issuer=ISSUER)


async def test_refusal_of_the_provider_is_shown_with_its_code(world: World) -> None:
    started = await world.start()
    browser = world.provider.browser()
    page = await browser.choose(await browser.open(started["authorize_url"]))
    assert page.is_redirect
    back = await browser.open(f"{ISSUER}/callback/permit?permit_error=face_mismatch")
    await world.api.get(back.headers["location"])
    evidence = (await world.api.get(f"/portal/errands/{started['errand']}")).json()
    assert evidence["error"]["code"] == "unmet_authentication_requirements"
    assert "face_mismatch" in evidence["error"]["detail"]


async def test_bad_input_is_refused_with_a_problem_document(world: World) -> None:
    for content in (b"[]", b"{", b"\xff", b"x" * 5000):
        response = await world.api.post("/portal/errands", content=content)
        assert response.status_code == 400
        assert response.headers["content-type"] == "application/problem+json"
    assert (await world.api.post("/portal/errands", json={"tamper": "nonsense"})).json()["code"] == "tamper_unknown"
    assert (await world.api.get("/portal/errands/nobody")).status_code == 404


async def test_key_is_kept_and_registration_is_stable(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "portal"
    assert (folder / "portal-key.json").stat().st_mode & 0o077 == 0
    again = Portal(folder, ISSUER, PORTAL, world.provider.clock, make_document=world.make)
    assert again.registration() == world.portal.registration()
    assert "d" not in world.portal.registration()["jwks"]["keys"][0]
    await again.close()


# --- the portal's own gate, with tokens that a provider must never make ----------------------------------------------------

KEYS = Keys()
GOOD = {
    "iss": ISSUER, "aud": CLIENT_ID, "sub": "s", "nonce": "n", "iat": int(AT.timestamp()), "exp": int(AT.timestamp()) + 60,
    "acr": "urn:gba-trust:acr:substantial", "at_hash": "",
    "verified_claims": [{
        "verification": {"trust_framework": "gba_mutual_recognition", "evidence": [{"check_details": [{}, {}]}]},
        "claims": {"exit_entry_permit_holder": True},
    }],
}  # fmt: skip


def minted(header: dict | None = None, **changes: object) -> str:
    import hashlib

    half = hashlib.sha256(b"access").digest()[:16]
    claims = {**GOOD, "at_hash": base64.urlsafe_b64encode(half).rstrip(b"=").decode(), **changes}
    key = KEYS.current()
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode({"alg": "ES256", "kid": key.kid, **(header or {})}, claims, key, algorithms=["ES256"])


def judge(token: str) -> dict:
    keys = {"keys": [key.as_dict(private=False) for key in KEYS.published()]}
    return verify_id_token(token, keys, issuer=ISSUER, client_id=CLIENT_ID, nonce="n", access_token="access", at=AT)


def test_portal_takes_a_good_token() -> None:
    assert judge(minted())["sub"] == "s"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"iss": "https://evil.test"}, "id_token_invalid"),
        ({"aud": "another"}, "id_token_invalid"),
        ({"at_hash": "x"}, "id_token_invalid"),
        ({"at_hash": None}, "id_token_invalid"),
        ({"nonce": "other"}, "nonce_mismatch"),
        ({"nonce": None}, "nonce_mismatch"),
        ({"exp": int(AT.timestamp()) - 6}, "id_token_expired"),
        ({"iat": int(AT.timestamp()) + 6}, "id_token_expired"),
        ({"exp": None}, "id_token_invalid"),
        ({"acr": "urn:gba-trust:acr:low"}, "acr_too_low"),
        ({"acr": None}, "acr_too_low"),
        ({"verified_claims": None}, "permit_evidence_missing"),
        ({"verified_claims": []}, "permit_evidence_missing"),
        ({"header": {"kid": "other"}}, "key_unknown"),
    ],
)
def test_portal_refuses_a_bad_one(changes: dict, code: str) -> None:
    with pytest.raises(TokenRefused) as refusal:
        judge(minted(**changes))
    assert refusal.value.code == code


def test_portal_refuses_confused_algorithms() -> None:
    head, body, _ = minted().split(".")
    none = (
        base64.urlsafe_b64encode(json.dumps({"alg": "none", "kid": KEYS.current().kid}).encode()).rstrip(b"=").decode()
    )
    stranger = ECKey.generate_key("P-256", {"kid": KEYS.current().kid})
    forged = jwt.encode({"alg": "ES256", "kid": stranger.kid}, GOOD, stranger, algorithms=["ES256"])
    for token in (f"{none}.{body}.", f"{head}.{body}.", forged):
        with pytest.raises(TokenRefused) as refusal:
            judge(token)
        assert refusal.value.code == "id_token_invalid"
