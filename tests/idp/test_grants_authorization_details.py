"""Rich authorization requests (RFC 9396): the person sees the named documents, the token carries them, the API takes no other."""

import base64
import hashlib
import json

import pytest

from tests.idp.conformance.flow import redirected_error, refused
from tests.support.fapi_client import FapiClient
from tests.support.idp import ISSUER, Client, Provider, answer
from tests.support.signing_api import CONTRACT, signing_api
from tests.support.verified_tokens import verified_claims_of

TYPES = {"authorization_details_types": ["sign_document"], "grant_types": ["authorization_code", "refresh_token"]}
SCOPE = "openid signing"


def digest(document: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(document).digest()).rstrip(b"=").decode()


def named(document: bytes = CONTRACT, label: str = "Mortgage contract 按揭合同", **more: object) -> dict:
    return {"type": "sign_document", "label": label, "digest": digest(document), **more}


def told(document: bytes = CONTRACT, label: str = "Mortgage contract 按揭合同") -> dict:
    return {"type": "sign_document", "label": label, "digest": digest(document), "digest_algorithm": "SHA-256"}


@pytest.fixture
async def rp(provider: Provider) -> Client:
    return await provider.register(Client("notary", extra=TYPES))


async def test_the_person_sees_what_would_be_signed_and_no_more_is_granted(provider: Provider, rp: Client) -> None:
    browser = provider.browser()
    page = await browser.open(rp.url(scope=SCOPE, authorization_details=json.dumps([named()])))
    assert "Mortgage contract 按揭合同" in page.text
    assert "To ask you to sign these documents, and no others" in page.text
    assert "To ask you to sign documents<" not in page.text
    tokens = (await rp.redeem(answer(await browser.agree(page))["code"])).json()
    assert tokens["authorization_details"] == [told()]
    claims = await verified_claims_of(rp, tokens["access_token"], algorithm="ES256", typ="at+jwt")
    assert claims["authorization_details"] == [told()]
    introspected = (await rp.post("/introspect", {"token": tokens["access_token"]})).json()
    assert introspected["authorization_details"] == [told()]
    again = (await rp.refresh(tokens["refresh_token"])).json()
    assert again["authorization_details"] == [told()]


async def test_a_label_is_text_on_the_page(provider: Provider, rp: Client) -> None:
    label = "<script>alert(1)</script>"
    details = json.dumps([named(label=label)])
    page = await provider.browser().open(rp.url(scope=SCOPE, authorization_details=details))
    assert label not in page.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text


async def test_an_earlier_consent_never_serves_for_a_named_document(provider: Provider, rp: Client) -> None:
    browser = provider.browser()
    details = json.dumps([named()])
    await rp.login(browser, scope=SCOPE, authorization_details=details)
    page = await browser.open(rp.url(scope=SCOPE, authorization_details=details))
    assert "/login/consent" in page.text
    silent = await browser.open(rp.url(scope=SCOPE, authorization_details=details, prompt="none"))
    redirected_error(silent, "consent_required")


async def test_the_api_takes_that_document_and_no_other(provider: Provider, rp: Client, tmp_path) -> None:
    other = CONTRACT + b"% and one clause more\n"
    code = (await rp.login(provider.browser(), scope=SCOPE, authorization_details=json.dumps([named()])))["code"]
    token = (await rp.redeem(code)).json()["access_token"]
    plain = (await rp.redeem((await rp.login(provider.browser(), scope=SCOPE))["code"])).json()["access_token"]
    async with signing_api(provider, tmp_path) as api:
        refusal = await api.post(rp, token, other)
        assert refusal.status_code == 403
        assert refusal.json()["code"] == "insufficient_scope"
        taken = await api.post(rp, token)
        assert taken.status_code == 201
        assert taken.json()["document_sha256"] == hashlib.sha256(CONTRACT).hexdigest()
        assert (await api.post(rp, plain, other)).status_code == 201, "a token that names none serves for any"


async def test_by_par_and_in_a_signed_request(provider: Provider) -> None:
    from tests.support.fapi_client import VARIANTS

    for name, variant in (("fapi-notary", "private_key_jwt+dpop"), ("signing-notary", "message signing")):
        rp = await provider.register(FapiClient(name, variant=VARIANTS[variant], extra=TYPES))
        details = [named()] if rp.variant.signs else json.dumps([named()])  # inside a request object it is JSON itself
        code = (await rp.login(provider.browser(), scope=SCOPE, authorization_details=details))["code"]
        assert (await rp.redeem(code)).json()["authorization_details"] == [told()]


BAD = {
    "not JSON": "x",
    "no list": json.dumps(named()),
    "empty": "[]",
    "not objects": "[1]",
    "unknown type": json.dumps([named() | {"type": "payment_initiation"}]),
    "no type": json.dumps([{k: v for k, v in named().items() if k != "type"}]),
    "unknown member": json.dumps([named(amount=5)]),
    "no label": json.dumps([named(label="")]),
    "endless label": json.dumps([named(label="x" * 121)]),
    "label with a line break": json.dumps([named(label="a\nb")]),
    "digest of another kind": json.dumps([named() | {"digest": "abc"}]),
    "digest in hexadecimal": json.dumps([named() | {"digest": "a" * 64}]),
    "another hash": json.dumps([named(digest_algorithm="SHA-1")]),
    "elsewhere": json.dumps([named(locations=["https://elsewhere.test"])]),
    "another action": json.dumps([named(actions=["sign", "delete"])]),
    "too many": json.dumps([named(label=str(i)) for i in range(21)]),
    "one bad among good": json.dumps([named(), {"type": "other"}]),
    "nested without end": "[" * 2000 + "]" * 2000,
}


@pytest.mark.parametrize("name", BAD)
async def test_what_is_not_understood_is_refused(provider: Provider, rp: Client, name: str) -> None:
    url = rp.url(scope=SCOPE, authorization_details=BAD[name])
    redirected_error(await provider.browser().get(url), "invalid_authorization_details")


async def test_who_may_not_ask_hears_so(provider: Provider, rp: Client, client: Client) -> None:
    details = json.dumps([named()])
    unregistered = await provider.browser().get(client.url(scope=SCOPE, authorization_details=details))
    redirected_error(unregistered, "invalid_authorization_details")
    no_scope = await provider.browser().get(rp.url(scope="openid", authorization_details=details))
    redirected_error(no_scope, "invalid_scope")
    good = named(locations=[f"{ISSUER}/api/v1/signing"], actions=["sign"], digest_algorithm="SHA-256")
    page = await provider.browser().open(rp.url(scope=SCOPE, authorization_details=json.dumps([good])))
    assert "/login/consent" in page.text


async def test_at_the_token_endpoint_it_can_be_fewer_never_more(provider: Provider, rp: Client) -> None:
    """RFC 9396 cl. 6."""
    other = named(b"another", "Another")
    details = json.dumps([named(), other])
    more = json.dumps([named(), named(b"a third", "Third")])
    code = (await rp.login(provider.browser(), scope=SCOPE, authorization_details=details))["code"]
    tokens = (await rp.redeem(code, authorization_details=json.dumps([other]))).json()
    assert tokens["authorization_details"] == [told(b"another", "Another")]
    claims = await verified_claims_of(rp, tokens["access_token"], algorithm="ES256", typ="at+jwt")
    assert claims["authorization_details"] == [told(b"another", "Another")]
    refused(await rp.refresh(tokens["refresh_token"], authorization_details=more), "invalid_authorization_details")
    refused(await rp.refresh(tokens["refresh_token"], authorization_details="x"), "invalid_authorization_details")
    again = (await rp.refresh(tokens["refresh_token"])).json()
    assert len(again["authorization_details"]) == 2, "the grant is as it was"
    code = (await rp.login(provider.browser(), scope=SCOPE, authorization_details=details))["code"]
    refused(await rp.redeem(code, authorization_details=more), "invalid_authorization_details")


async def test_an_exchanged_token_names_no_more_than_the_one_it_came_from(provider: Provider) -> None:
    exchange = "urn:ietf:params:oauth:grant-type:token-exchange"
    rp = await provider.register(Client("agent", extra={**TYPES, "grant_types": ["authorization_code", exchange]}))
    details = json.dumps([named(), named(b"another", "Another")])
    code = (await rp.login(provider.browser(), scope=SCOPE, authorization_details=details))["code"]
    token = (await rp.redeem(code, authorization_details=json.dumps([named()]))).json()["access_token"]
    form = {
        "grant_type": exchange, "subject_token": token,
        "subject_token_type": "urn:ietf:params:oauth:token-type:access_token",
    }  # fmt: skip
    assert (await rp.post("/token", form)).json()["authorization_details"] == [told()]
    refused(await rp.post("/token", {**form, "authorization_details": details}), "invalid_authorization_details")
