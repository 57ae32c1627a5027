"""Whole logins over HTTP: from `/authorize` to userinfo, with a real upstream, real pages, real tokens."""

from joserfc import jwt

from tests.support.idp import ISSUER, Client, Provider, answer
from tests.support.oauth_peer import WONG
from trust_lists.vocabulary import AssuranceLevel

SUBSTANTIAL = AssuranceLevel.SUBSTANTIAL.acr


async def tokens_of(client: Client, parameters: dict[str, str]) -> dict:
    response = await client.redeem(parameters["code"])
    assert response.status_code == 200, response.text
    return response.json()


def claims_of(provider: Provider, token: str) -> dict:
    return jwt.decode(token, provider.keys.published(), algorithms=["ES256"]).claims


async def test_login_gives_code_then_tokens_then_userinfo(provider: Provider, client: Client) -> None:
    browser = provider.browser()
    page = await browser.open(client.url(scope="openid profile", acr_values=SUBSTANTIAL))
    assert page.status_code == 200
    assert "Guangdong Sample Bank" in page.text
    assert "Mortgage application" in page.text
    parameters = answer(await browser.agree(page))
    assert parameters["iss"] == ISSUER
    assert parameters["state"] == "state-1"

    tokens = await tokens_of(client, parameters)
    assert tokens["token_type"] == "Bearer"
    claims = claims_of(provider, tokens["id_token"])
    assert claims["aud"] == client.client_id
    assert claims["nonce"] == "nonce-1"
    assert claims["acr"] == SUBSTANTIAL
    assert claims["amr"] == ["hwk", "user"]
    assert claims["upstream"]["connector"] == "iam_smart"
    assert claims["upstream"]["level"] == "sign"
    assert "verified_claims" not in claims
    assert "name" not in claims

    async with provider.back_channel() as http:
        info = await http.get("/userinfo", headers={"Authorization": f"Bearer {tokens['access_token']}"})
    assert info.status_code == 200
    assert info.json()["sub"] == claims["sub"]
    assert info.json()["name"] == "CHAN, Ka Yan"
    assert info.json()["name#zh-Hant"] == "陳嘉欣"
    assert info.json()["birthdate"] == "1990-01-15"
    assert info.json()["gender"] == "female"


async def test_permit_evidence_reaches_the_id_token(provider: Provider, client: Client) -> None:
    parameters = await client.login(
        provider.browser(),
        scope="openid permit",
        claims='{"id_token":{"verified_claims":['
        '{"verification":{"trust_framework":{"value":"hk_iam_smart"}},"claims":{"name":null,"birthdate":null}},'
        '{"verification":{"trust_framework":{"value":"gba_mutual_recognition"},"evidence":[{"type":{"value":"document"},'
        '"check_details":[{"check_method":null}],"document_details":null}]},'
        '"claims":{"name":null,"exit_entry_permit_holder":null}}]}}',
    )
    claims = claims_of(provider, (await tokens_of(client, parameters))["id_token"])
    upstream, permit = claims["verified_claims"]
    assert upstream["verification"]["trust_framework"] == "hk_iam_smart"
    assert upstream["claims"]["birthdate"] == "1990-01-15"
    assert permit["verification"]["trust_framework"] == "gba_mutual_recognition"
    assert permit["claims"]["exit_entry_permit_holder"] is True
    evidence = permit["verification"]["evidence"][0]
    assert evidence["type"] == "document"
    assert [check["check_method"] for check in evidence["check_details"]] == ["data", "bvr"]
    reference = evidence["document_details"]["reference"]
    assert reference != "ref-7f3a", "the permit check's own reference is the same for every sector: it must not leave"
    request = provider.permits.opened[0]
    assert request.name_latin == "CHAN, Ka Yan"
    assert request.birthdate == "19900115"
    assert request.subject not in claims["sub"]


async def test_what_was_not_ticked_is_not_told(provider: Provider, client: Client) -> None:
    browser = provider.browser()
    page = await browser.open(client.url(scope="openid profile"))
    parameters = answer(await browser.agree(page, items=["birthdate"]))
    tokens = await tokens_of(client, parameters)
    async with provider.back_channel() as http:
        info = await http.post("/userinfo", data={"access_token": tokens["access_token"]})
    assert set(info.json()) == {"sub", "birthdate"}


async def test_declining_consent_is_access_denied(provider: Provider, client: Client) -> None:
    browser = provider.browser()
    page = await browser.open(client.url(scope="openid profile"))
    parameters = answer(await browser.agree(page, decision="decline"))
    assert parameters["error"] == "access_denied"
    assert parameters["iss"] == ISSUER
    assert parameters["state"] == "state-1"
    assert "consent.declined" in provider.trail.names()


async def test_choice_names_every_provider_in_its_own_words(provider: Provider, client: Client) -> None:
    browser = provider.browser()
    page = await browser.open(client.url(connector=None))
    assert page.status_code == 200
    for native in ("智方便 iAM Smart", "一戶通 One Account", "广东省统一身份认证"):
        assert native in page.text
    assert page.text.count("not connected in this installation") == 2
    assert (await browser.get(f"{ISSUER}/login/with/guangdong")).status_code == 404
    page = await browser.choose(page)
    assert "/login/consent" in page.text


async def test_pages_speak_the_languages(provider: Provider, client: Client) -> None:
    browser = provider.browser()
    browser.client.headers["Accept-Language"] = "fr"
    for tag, words in (
        ("zh-HK", "您想用哪種方式登入"),
        ("zh-CN", "您想用哪种方式登录"),
        ("pt-PT", "Como pretende iniciar sessão"),
    ):
        page = await browser.open(client.url(connector=None, ui_locales=tag))
        assert words in page.text
    page = await browser.open(client.url(connector=None, ui_locales="zh-CN"))
    assert "广东示例银行" in page.text


async def test_single_sign_on_skips_the_upstream_and_known_consent(provider: Provider, client: Client) -> None:
    browser = provider.browser()
    first = await client.login(browser, scope="openid profile")
    assert provider.peer.logins == 1
    second = answer(await browser.open(client.url(scope="openid profile", prompt="none")))
    assert provider.peer.logins == 1
    subjects = {claims_of(provider, (await tokens_of(client, p))["id_token"])["sub"] for p in (first, second)}
    assert len(subjects) == 1


async def test_prompt_none_without_session_is_login_required(provider: Provider, client: Client) -> None:
    parameters = answer(await provider.browser().open(client.url(prompt="none")))
    assert parameters["error"] == "login_required"


async def test_prompt_none_without_consent_is_consent_required(provider: Provider, client: Client) -> None:
    browser = provider.browser()
    await client.login(browser, scope="openid")
    parameters = answer(await browser.open(client.url(scope="openid profile", prompt="none")))
    assert parameters["error"] == "consent_required"


async def test_prompt_none_with_permit_is_interaction_required(provider: Provider, client: Client) -> None:
    browser = provider.browser()
    await client.login(browser, scope="openid")
    parameters = answer(await browser.open(client.url(scope="openid permit", prompt="none")))
    assert parameters["error"] == "interaction_required"


async def test_prompt_login_signs_in_again(provider: Provider, client: Client) -> None:
    browser = provider.browser()
    first = claims_of(provider, (await tokens_of(client, await client.login(browser)))["id_token"])
    provider.later(seconds=30)
    again = claims_of(provider, (await tokens_of(client, await client.login(browser, prompt="login")))["id_token"])
    assert provider.peer.logins == 2
    assert again["auth_time"] == first["auth_time"] + 30
    assert again["sub"] == first["sub"]


async def test_prompt_consent_asks_again(provider: Provider, client: Client) -> None:
    browser = provider.browser()
    await client.login(browser)
    page = await browser.open(client.url(prompt="consent"))
    assert "/login/consent" in page.text


async def test_max_age_passed_signs_in_again(provider: Provider, client: Client) -> None:
    browser = provider.browser()
    await client.login(browser)
    provider.later(seconds=11)
    await client.login(browser, max_age="10")
    assert provider.peer.logins == 2
    await client.login(browser, max_age="10000")
    assert provider.peer.logins == 2


async def test_session_ends(provider: Provider, client: Client) -> None:
    browser = provider.browser()
    await client.login(browser)
    provider.later(hours=8, seconds=1)
    parameters = answer(await browser.open(client.url(prompt="none")))
    assert parameters["error"] == "login_required"


async def test_id_token_hint_of_another_person_is_login_required(provider: Provider, client: Client) -> None:
    browser, other = provider.browser(), provider.browser()
    hint = (await tokens_of(client, await client.login(browser)))["id_token"]
    assert "code" in answer(await browser.open(client.url(prompt="none", id_token_hint=hint)))
    provider.peer.person = WONG
    await client.login(other)
    parameters = answer(await other.open(client.url(prompt="none", id_token_hint=hint)))
    assert parameters["error"] == "login_required"


async def test_high_cannot_be_had_with_a_plain_app_login(provider: Provider, client: Client) -> None:
    parameters = answer(await provider.browser().open(client.url(acr_values=AssuranceLevel.HIGH.acr)))
    assert parameters["error"] == "unmet_authentication_requirements"
    assert "method" in parameters["error_description"]
    assert provider.permits.opened == []


async def test_essential_acr_in_claims_is_held(provider: Provider, client: Client) -> None:
    claims = '{"id_token":{"acr":{"essential":true,"value":"urn:gba-trust:acr:high"}}}'
    parameters = answer(await provider.browser().open(client.url(claims=claims)))
    assert parameters["error"] == "unmet_authentication_requirements"


async def test_fresh_face_check_at_the_upstream_is_high(provider: Provider, client: Client) -> None:
    provider.peer.person = WONG.__class__(**{**vars(WONG), "level": "sign", "method": "fido_app_fr"})
    parameters = await client.login(provider.browser(), acr_values=AssuranceLevel.HIGH.acr)
    assert claims_of(provider, (await tokens_of(client, parameters))["id_token"])["acr"] == AssuranceLevel.HIGH.acr


async def test_permit_refused_is_unmet_with_its_reason(provider: Provider, client: Client) -> None:
    browser = provider.browser()
    await browser.open(client.url(scope="openid permit"))
    parameters = answer(await browser.open(f"{ISSUER}/callback/permit?permit_error=face_mismatch"))
    assert parameters["error"] == "unmet_authentication_requirements"
    assert "face_mismatch" in parameters["error_description"]
    assert provider.trail.last("login.permit_refused").outcome == "face_mismatch"


async def test_permit_asked_by_claims_only_is_omitted_when_refused(provider: Provider, client: Client) -> None:
    browser = provider.browser()
    claims = (
        '{"id_token":{"verified_claims":{"verification":{"trust_framework":{"value":"gba_mutual_recognition"}},'
        '"claims":{"exit_entry_permit_holder":null}}}}'
    )
    await browser.open(client.url(claims=claims))
    page = await browser.open(f"{ISSUER}/callback/permit?permit_error=face_mismatch")
    parameters = answer(await browser.agree(page))
    assert "verified_claims" not in claims_of(provider, (await tokens_of(client, parameters))["id_token"])


async def test_permit_evidence_serves_the_session_while_fresh(provider: Provider, client: Client) -> None:
    browser = provider.browser()
    await client.login(browser, scope="openid permit")
    assert "code" in answer(await browser.open(client.url(scope="openid permit", prompt="none")))
    provider.later(minutes=31)
    parameters = answer(await browser.open(client.url(scope="openid permit", prompt="none")))
    assert parameters["error"] == "interaction_required"


async def test_permit_not_connected_is_unmet(provider: Provider, client: Client) -> None:
    object.__setattr__(provider.deps, "permit_checks", None)
    parameters = answer(await provider.browser().open(client.url(scope="openid permit")))
    assert parameters["error"] == "unmet_authentication_requirements"


async def test_late_answer_shows_the_waiting_page_then_goes_on(provider: Provider, client: Client) -> None:
    provider.connector.answer_later = True
    browser = provider.browser()
    page = await browser.open(client.url())
    assert 'http-equiv="refresh"' in page.text
    assert str(page.url) == f"{ISSUER}/login"
    assert 'http-equiv="refresh"' in (await browser.open(f"{ISSUER}/login")).text
    provider.connector.deliver()
    page = await browser.open(f"{ISSUER}/login")
    assert "code" in answer(await browser.agree(page))


async def test_late_answer_that_never_comes_times_out(provider: Provider, client: Client) -> None:
    provider.connector.answer_later = True
    browser = provider.browser()
    await browser.open(client.url())
    provider.later(minutes=6)
    page = await browser.open(f"{ISSUER}/login")
    assert page.status_code == 400
    assert "upstream_timed_out" in page.text


async def test_upstream_denial_returns_to_the_choice_and_a_retry_works(provider: Provider, client: Client) -> None:
    provider.peer.fault = "denied"
    browser = provider.browser()
    page = await browser.open(client.url())
    assert page.status_code == 400
    assert "upstream_denied" in page.text
    provider.peer.fault = None
    page = await browser.choose(page)
    assert "code" in answer(await browser.agree(page))


async def test_dead_upstream_is_said_and_the_portal_can_be_told(provider: Provider, client: Client) -> None:
    provider.peer.fault = "dead"
    browser = provider.browser()
    page = await browser.open(client.url())
    assert page.status_code == 503
    assert "upstream_unavailable" in page.text
    assert answer(await browser.open(f"{ISSUER}/login/cancel"))["error"] == "access_denied"
    assert (await browser.get(f"{ISSUER}/login")).status_code == 400


async def test_post_request_works_like_get(provider: Provider, client: Client) -> None:
    browser = provider.browser()
    response = await browser.client.post(f"{ISSUER}/authorize", data=client.query(scope="openid"))
    assert response.headers["location"] == f"{ISSUER}/login"
    page = await browser.follow(response)
    assert "code" in answer(await browser.agree(page))


async def test_subjects_differ_by_sector(provider: Provider, client: Client) -> None:
    other = await provider.register(Client("mo-notary", "https://notary.test/cb", region="mo"))
    browser = provider.browser()
    subjects = set()
    for party in (client, other):
        page = await browser.follow(await browser.get(party.url(scope="openid")), until="https://notary.test")
        response = await browser.agree(page)
        subjects.add(claims_of(provider, (await tokens_of(party, answer(response)))["id_token"])["sub"])
    assert len(subjects) == 2


async def test_personal_data_is_sealed_in_the_file(provider: Provider, client: Client) -> None:
    await client.login(provider.browser(), scope="openid profile", login_hint="ka.yan@example.test")
    raw = provider.database.path.read_bytes()
    for secret in (b"CHAN", "陳嘉欣".encode(), b"19900115", b"1990-01-15", b"A1234563", b"Zm9v%2Bbar", b"ka.yan"):
        assert secret not in raw


async def test_every_step_is_in_the_audit_trail_under_one_reference(provider: Provider, client: Client) -> None:
    parameters = await client.login(provider.browser(), scope="openid permit")
    await tokens_of(client, parameters)
    assert provider.trail.names() == [
        "login.started", "login.upstream_started", "login.signed_in", "login.permit_opened", "login.permit_verified",
        "consent.given", "code.issued", "token.issued",
    ]  # fmt: skip
    assert len({event.correlation for event in provider.trail.events}) == 1
    words = repr(provider.trail.events)
    for secret in ("CHAN", "陳", "A1234563", parameters["code"]):
        assert secret not in words
