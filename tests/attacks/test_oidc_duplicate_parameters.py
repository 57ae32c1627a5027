"""Duplicate parameters: whoever counts on two readers that read different ones is refused, at every door."""

import pytest

from tests.idp.conformance.flow import refused, shown_error
from tests.support.dpop import segment
from tests.support.fapi_client import VARIANTS, FapiClient
from tests.support.idp import ISSUER, Client, Provider, answer

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    "parameter", ["scope", "state", "nonce", "code_challenge", "prompt", "response_type", "claims", "acr_values"]
)
async def test_duplicate_parameters_are_refused(provider: Provider, client: Client, parameter: str) -> None:
    url = client.url(prompt="login", claims="{}", acr_values="urn:gba-trust:acr:low")
    response = await provider.browser().get(f"{url}&{parameter}=x")
    parameters = answer(response)
    assert parameters["error"] == "invalid_request"
    assert ("state" in parameters) is (parameter != "state")


async def test_repeated_parameters_are_refused(provider: Provider, client: Client) -> None:
    code = (await client.login(provider.browser()))["code"]
    for name in ("code", "code_verifier", "grant_type", "redirect_uri", "client_assertion"):
        form = client.token_form(code)
        async with provider.back_channel() as http:
            response = await http.post(
                "/token",
                content="&".join(f"{k}={v}" for k, v in [*form.items(), (name, form[name])]).replace(":", "%3A"),
                headers={"Content-Type": "application/x-www-form-urlencoded"},
            )
        refused(response, "invalid_request")
    assert (await client.redeem(code)).status_code == 200


async def doubled(client: Client, path: str, form: dict[str, str], name: str, value: str | None = None):
    """Send a form in which one parameter stands twice."""
    from urllib.parse import urlencode

    pairs = [*form.items(), (name, form[name] if value is None else value)]
    async with client.provider.back_channel() as http:
        return await http.post(path, content=urlencode(pairs), headers={**FORM, **client.headers(path)})


@pytest.mark.parametrize("name", ["client_id", "request", "request_uri", "redirect_uri"])
async def test_what_decides_where_an_answer_goes_is_shown(provider: Provider, client: Client, name: str) -> None:
    """Twice client_id or redirect_uri: there is no verified place; a request twice: the place beside it is verified."""
    query = client.url(request="x") if name == "request" else client.url()
    response = await provider.browser().get(f"{query}&{name}=second&{name}=third")
    if name in {"client_id", "redirect_uri"}:
        shown_error(response, "malformed_request")
    else:
        assert answer(response)["error"] in {"invalid_request", "request_uri_not_supported"}
    ours = "urn:ietf:params:oauth:request_uri:x"
    twice = f"{ISSUER}/authorize?client_id={client.client_id}&request_uri={ours}&request_uri={ours}"
    shown_error(await provider.browser().get(twice), "invalid_request_uri")


async def test_at_par(provider: Provider) -> None:
    rp = await provider.register(FapiClient())
    form = rp.authenticated(rp.query(response_mode="query"))
    for name in form:
        fresh = rp.authenticated(rp.query(response_mode="query"))
        for value in (None, "other"):
            refused(await doubled(rp, "/par", fresh, name, value), "invalid_request")
    assert (await rp.push()).status_code == 201


@pytest.mark.parametrize("path", ["/introspect", "/revoke"])
async def test_at_the_other_doors_of_clients(provider: Provider, client: Client, path: str) -> None:
    token = (await client.redeem((await client.login(provider.browser()))["code"])).json()["access_token"]
    for name in ("client_assertion", "client_assertion_type"):
        form = client.authenticated({"token": token})
        refused(await doubled(client, path, form, name), "invalid_request")
    refused(await doubled(client, path, client.authenticated({"token": token}), "token", "other"), "invalid_request")
    assert (await client.userinfo(token)).status_code == 200, "and nothing was revoked"


async def test_members_twice_in_a_signed_object(provider: Provider) -> None:
    """JSON takes the last of two, other readers the first: such an object is none (RFC 8725 cl. 2.4)."""
    rp = await provider.register(FapiClient(variant=VARIANTS["message signing"]))
    import base64

    from idp.jose.algorithms import SIGNATURES

    head, body, _ = rp.request_object().split(".")
    text = base64.urlsafe_b64decode(body + "==").decode()
    twice = text.replace("{", '{"scope":"openid signing",', 1)
    message = f"{head}.{segment(twice.encode())}"
    signature = segment(SIGNATURES["ES256"].sign(rp.key.private_key, message.encode()))
    refused(
        await rp.post("/par", {"client_id": rp.client_id, "request": f"{message}.{signature}"}),
        "invalid_request_object",
    )


async def test_two_authorizations_of_one_request(provider: Provider, client: Client) -> None:
    token = (await client.redeem((await client.login(provider.browser()))["code"])).json()["access_token"]
    async with provider.back_channel() as http:
        bearer = ("Authorization", f"Bearer {token}")
        both = await http.post("/userinfo", data={"access_token": token}, headers=[bearer])
        assert (both.status_code, both.json()["error"]) == (400, "invalid_request")
        twice = await http.post("/userinfo", content=f"access_token=x&access_token={token}", headers=FORM)
        assert twice.status_code in {400, 401}
