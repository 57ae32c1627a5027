"""npm `oidc-client-ts` in Debian's Chromium: an app without a backend signs in, reads userinfo, renews and signs out, across origins."""

import json
import secrets
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.idp.foreign.chromium import needs_chromium, sign_in_by_hand
from tests.idp.foreign.node_party import FOLDER, has_package
from tests.support.idp import Client
from tests.support.served_provider import ServedProvider

pytestmark = [
    needs_chromium,
    pytest.mark.skipif(not has_package("oidc-client-ts"), reason="npm oidc-client-ts not installed"),
]


class App:
    """The app's static files, on a port of this machine: another origin than the provider's."""

    def __init__(self) -> None:
        self.settings: dict[str, Any] = {}
        app = self

        class Files(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                kind, body = app.file(self.path.partition("?")[0])
                self.send_response(200 if kind else 404)
                self.send_header("Content-Type", kind or "text/plain")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Files)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def file(self, path: str) -> tuple[str, bytes]:
        if path in {"/", "/callback", "/bye"}:
            return "text/html", (FOLDER / "browser_app.html").read_bytes()
        if path == "/settings.json":
            return "application/json", json.dumps(self.settings).encode()
        module = FOLDER / "node_modules" / path.removeprefix("/modules/")
        if path.startswith("/modules/") and ".." not in path and module.suffix == ".js" and module.is_file():
            return "text/javascript", module.read_bytes()
        return "", b""

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join(5)
        self._server.server_close()


@pytest.fixture
def app() -> Iterator[App]:
    made = App()
    yield made
    made.close()


def register(served: ServedProvider, app: App, *, dpop: bool) -> Client:
    client = Client(
        client_id=f"app-{secrets.token_hex(4)}",
        redirect_uri=f"{app.url}/callback",
        auth="none",
        native=True,
        extra={
            "grant_types": ["authorization_code", "refresh_token"],
            "post_logout_redirect_uris": [f"{app.url}/bye"],
            "dpop_bound_access_tokens": dpop,
        },
    )
    app.settings = {
        "authority": served.issuer,
        "client_id": client.client_id,
        "redirect_uri": client.redirect_uri,
        "post_logout_redirect_uri": f"{app.url}/bye",
        "scope": "openid profile offline_access",
        "dpop": dpop,
    }
    return served.register(client)


def told(page: Any, step: str) -> dict[str, Any]:
    """Wait until the app has come so far; return what it shows."""
    page.wait_for_selector(f"body[data-step={step}], body[data-step=failed]")
    shown = json.loads(page.inner_text("#told"))
    assert page.get_attribute("body", "data-step") == step, (shown, page.complaints)
    return shown


def sign_in(page: Any, app: App, *, decision: str = "agree", then: str = "signed-in") -> dict[str, Any]:
    page.goto(f"{app.url}/")
    page.click("#sign-in")
    sign_in_by_hand(page, decision=decision)
    return told(page, then)


@pytest.mark.parametrize("dpop", [False, True], ids=["bearer", "dpop"])
def test_an_app_signs_in_renews_and_signs_out(served: ServedProvider, app: App, page: Any, dpop: bool) -> None:
    register(served, app, dpop=dpop)
    first = sign_in(page, app)
    assert first["token_type"].lower() == ("dpop" if dpop else "bearer")
    assert first["userinfo"]["name"] == "CHAN, Ka Yan"
    assert first["userinfo"]["sub"] == first["profile"]["sub"]
    page.click("#renew")
    renewed = told(page, "renewed")
    assert renewed["access_token"] != first["access_token"]
    assert renewed["refresh_token"] != first["refresh_token"]
    assert renewed["profile"]["sub"] == first["profile"]["sub"]
    page.click("#sign-out")
    told(page, "signed-out")
    assert page.url.startswith(f"{app.url}/bye?state=")
    assert served.provider.trail.last("session.ended").outcome == "ok"
    assert [line for line in page.complaints if "CORS" in line or "Content Security Policy" in line] == []


def test_the_app_hears_the_refusal(served: ServedProvider, app: App, page: Any) -> None:
    register(served, app, dpop=False)
    shown = sign_in(page, app, decision="decline", then="failed")
    assert shown["error"] == "access_denied"
