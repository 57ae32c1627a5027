"""The pages in Debian's Chromium: four languages, two widths, both schemes; judged by axe-core, and walked through as a person would."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from idp.protocol import GrantType
from tests.support.idp import PORTAL, Client
from tests.support.idp_site import Site

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium not installed")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-background-networking"]
BACK = f"{PORTAL}/bye"
FRAME = f"{PORTAL}/front-channel"
HEADLINES = {
    "zh-Hant": "您的帳戶",
    "zh-Hans": "您的账户",
    "pt": "A sua conta",
    "en": "Your account",
}
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "rules": {"color-contrast-enhanced": {"enabled": True}, "target-size": {"enabled": True}},
    "resultTypes": ["violations"],
}


@pytest.fixture(scope="module")
def chromium():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, headless=True, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    site = Site(tmp_path)
    yield site
    site.close()


@pytest.fixture
def client(site: Site) -> Client:
    return site.do(site.provider.register(portal()))


def portal() -> Client:
    grants = [GrantType.AUTHORIZATION_CODE, GrantType.REFRESH_TOKEN, GrantType.DEVICE_CODE, GrantType.CIBA]
    return Client(
        scope="openid profile permit signing offline_access",
        extra={
            "grant_types": [grant.value for grant in grants],
            "client_name#zh-Hant": "廣東示例銀行",
            "client_name#pt": "Banco de Exemplo de Guangdong",
            "gba_purpose": "跨境按揭申請 · Mortgage application",
            "post_logout_redirect_uris": [BACK],
            "frontchannel_logout_uri": FRAME,
            "frontchannel_logout_session_required": True,
            "authorization_details_types": ["sign_document"],
        },
    )


class Visitor:
    """One person at one browser: opens pages, and keeps what is to be judged of each."""

    def __init__(self, site: Site, context, folder: Path, language: str) -> None:
        self.site, self.folder, self.language = site, folder, language
        self.complaints: list[str] = []
        self.framed: list[str] = []
        context.route(f"{PORTAL}/**", self._portal)
        self.page = context.new_page()
        self.page.on("console", lambda said: self.complaints.append(said.text) if said.type == "error" else None)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _portal(self, route) -> None:
        if route.request.url.startswith(FRAME):
            self.framed.append(route.request.url)
        route.fulfill(
            status=200, content_type="text/html", body="<!doctype html><title>portal</title>back at the portal"
        )

    def open(self, path: str) -> None:
        self.page.goto(f"{self.site.url}{path}")

    def judge(self, name: str) -> None:
        """Keep a picture, and let axe-core judge."""
        page = self.page
        page.screenshot(path=str(self.folder / f"{name}.png"), full_page=True)
        assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"), f"{name} scrolls sideways"
        assert page.get_attribute("html", "lang") == self.language, name
        if self.language != "en":
            english = [word for word in ("Sign out", "portal knows", "your account") if word in page.inner_text("main")]
            assert english == [], name
        axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python not installed")
        found = axe.Axe().run(page, options=RULES).response["violations"]
        told = [(one["id"], one["help"], [node["html"][:120] for node in one["nodes"]]) for one in found]
        assert told == [], name


@contextmanager
def visitor(site: Site, chromium, folder: Path, *, language: str = "en", width: int = 360, **more) -> Iterator[Visitor]:
    locale = {"zh-Hant": "zh-HK", "zh-Hans": "zh-CN", "pt": "pt-PT", "en": "en-GB"}[language]
    context = chromium.new_context(viewport={"width": width, "height": 800}, locale=locale, **more)
    try:
        yield Visitor(site, context, folder, language)
    finally:
        context.close()


async def device_code(client: Client) -> str:
    return (await client.call("/device_authorization", scope="openid profile")).json()["user_code"]


async def backchannel(client: Client, subject: str, message: str) -> None:
    asked = {"scope": "openid", "login_hint": subject, "binding_message": message}
    answer = await client.call("/backchannel_authentication", **asked)
    assert answer.status_code == 200, answer.text


def details() -> str:
    named = [
        {"type": "sign_document", "label": "跨境按揭申請表 Mortgage application 2026-117.pdf", "digest": "q" * 43},
        {"type": "sign_document", "label": "Declaração de rendimentos.pdf", "digest": "w" * 43},
    ]
    return json.dumps(named)


@pytest.mark.parametrize(
    ("language", "width", "scheme"),
    [*((language, width, "light") for language in HEADLINES for width in (360, 1280)), ("en", 360, "dark"), ("zh-Hant", 1280, "dark")],
)  # fmt: skip
def test_every_page_is_whole(
    site: Site, chromium, client: Client, tmp_path: Path, language: str, width: int, scheme: str
) -> None:
    with visitor(site, chromium, tmp_path, language=language, width=width, color_scheme=scheme) as person:
        page = person.page
        person.open("/device")
        person.judge("1-device")
        page.fill("#user_code", "BBBB-CCCC")
        page.click("form .button")
        person.judge("2-device-unknown")
        person.complaints.clear()  # Chromium notes the 400
        code = site.do(device_code(client))
        person.open(f"/device?user_code={code}")
        person.judge("3-device-confirm")
        page.click("form .button")
        person.judge("4-choose")
        page.click("a[href='/login/with/iam_smart']")
        assert page.inner_text("#binding-message") == code
        person.judge("5-consent-device")
        page.click("button[value=agree]")
        person.judge("6-closed")
        person.open(f"/device?user_code={site.do(device_code(client))}")
        page.click("form .button")
        page.click("button[value=decline]")
        person.judge("7-closed-declined")
        page.goto(
            client.url(scope="openid profile signing offline_access", authorization_details=details(), prompt="consent")
        )
        person.judge("8-consent-portal")
        page.click("button[value=agree]")
        page.wait_for_url(f"{PORTAL}/callback**")
        subject = site.do(subject_of(client))
        site.do(backchannel(client, subject, "Ref. 1234 · 5678"))
        person.open("/account")
        assert page.inner_text("h1") == HEADLINES[language]
        person.judge("9-account")
        page.click("section[aria-labelledby=requests] a")
        person.judge("10-choose-again")
        page.click("a[href='/login/with/iam_smart']")
        person.judge("11-consent-backchannel")
        assert page.inner_text("#binding-message") == "Ref. 1234 · 5678"
        page.click("button[value=agree]")
        person.open("/approve/nothing")
        person.judge("12-error")
        person.complaints.clear()
        person.open(f"/logout?client_id={client.client_id}")
        person.judge("13-logout")
        page.route(
            "**/static/idp/logout.js", lambda route: route.fulfill(status=200, content_type="text/javascript", body="")
        )
        page.click("form .button")
        person.judge("14-logout-frames")
        page.unroute("**/static/idp/logout.js")
        page.click("#onward")
        person.judge("15-signed-out")
        assert person.complaints == []


async def subject_of(client: Client) -> str:
    rows = await client.provider.database.read_row("SELECT subject FROM idp_consents LIMIT 1")
    return str(rows[0])


@pytest.mark.parametrize("scripts", [True, False])
def test_the_logout_page_tells_the_portals_and_goes_on_by_itself(
    site: Site, chromium, client: Client, tmp_path: Path, scripts: bool
) -> None:
    with visitor(site, chromium, tmp_path, java_script_enabled=scripts) as person:
        page = person.page
        page.goto(client.url())
        page.click("button[value=agree]")
        page.wait_for_url(f"{PORTAL}/callback**")
        person.open(f"/logout?client_id={client.client_id}&post_logout_redirect_uri={BACK}&state=s1")
        page.click("form .button")
        page.wait_for_url(f"{BACK}?state=s1", timeout=10_000)
        assert len(person.framed) == 1
        assert "iss=" in person.framed[0]
        assert "sid=" in person.framed[0]
        assert person.complaints == []  # the security policy let the frame in, and nothing else happened


def test_a_portal_that_never_answers_does_not_hold_the_person(
    site: Site, chromium, client: Client, tmp_path: Path
) -> None:
    with visitor(site, chromium, tmp_path) as person:
        page = person.page
        page.goto(client.url())
        page.click("button[value=agree]")
        page.wait_for_url(f"{PORTAL}/callback**")
        page.route(f"{FRAME}**", lambda route: None)  # hangs
        person.open("/logout")
        page.click("form .button", no_wait_after=True)
        page.wait_for_url(f"{site.url}/logout", timeout=10_000, wait_until="commit")
        page.wait_for_selector("text=You are signed out here", timeout=10_000)


def test_logout_goes_through_the_upstream_and_back(site: Site, chromium, tmp_path: Path) -> None:
    """The form's policy must let the whole chain of redirects through, over three origins."""
    back = f"{site.provider.peer.base.replace('127.0.0.1', 'localhost')}/o/bye"
    client = Client(extra={"post_logout_redirect_uris": [back]})
    site.do(site.provider.register(client))
    site.provider.connector.ends_sessions = True
    with visitor(site, chromium, tmp_path) as person:
        page = person.page
        page.goto(client.url())
        page.click("button[value=agree]")
        page.wait_for_url(f"{PORTAL}/callback**")
        person.open(f"/logout?client_id={client.client_id}&post_logout_redirect_uri={back}")
        page.click("form .button")
        page.wait_for_url(back, timeout=10_000)
        assert site.provider.peer.logouts == 1
        assert not any("Content Security Policy" in line for line in person.complaints)


def test_language_is_switched_without_losing_the_step(site: Site, chromium, client: Client, tmp_path: Path) -> None:
    with visitor(site, chromium, tmp_path) as person:
        page = person.page
        code = site.do(device_code(client))
        person.open(f"/device?user_code={code}")
        page.click("form .button")
        page.click("a[href='/login/with/iam_smart']")
        page.click("nav.languages a[lang=pt]")
        assert page.inner_text("#binding-message") == code
        assert "saber?" in page.inner_text("h1")
        page.click("button[value=agree]")
        assert page.inner_text("h1") == "Concluiu este passo"
        page.click("nav.languages a[lang=zh-Hans]")
        assert page.inner_text("h1") == "您已完成此步骤"
        assert "Banco" not in page.inner_text("main")


def test_everything_works_by_keyboard(site: Site, chromium, client: Client, tmp_path: Path) -> None:
    with visitor(site, chromium, tmp_path, width=1280) as person:
        page = person.page
        code = site.do(device_code(client))
        person.open("/device")
        page.focus("#user_code")
        page.keyboard.type(code.lower().replace("-", " "))
        page.keyboard.press("Enter")
        page.focus("a[href='/login/with/iam_smart']")
        page.keyboard.press("Enter")
        page.wait_for_selector("#binding-message")
        page.focus("button[value=agree]")
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline != "none", "the focus is visible, in our own style or the browser's"
        page.keyboard.press("Enter")
        page.wait_for_url("**/done?of=**")
