"""Pages: the reader's language, strict headers, nothing unescaped, every catalogue complete."""

import re
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from starlette.requests import Request

from service.page_renderer import LANGUAGES, PageRenderer, choose_language

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("service", "idp", "signing", "liveness", "trust_lists")


def request(query: str = "", *, accept: str = "", cookie: str = "", path: str = "/x") -> Request:
    headers = [(b"accept-language", accept.encode()), (b"cookie", cookie.encode()), (b"host", b"localhost")]
    return Request(
        {
            "type": "http",
            "method": "GET",
            "path": path,
            "query_string": query.encode(),
            "headers": headers,
            "scheme": "http",
            "server": ("localhost", 80),
        }
    )


@pytest.mark.parametrize(
    ("query", "accept", "cookie", "asked", "language"),
    [
        ("", "", "", None, "zh-Hant"),
        ("", "en-US,en;q=0.9", "", None, "en"),
        ("", "zh-CN,zh;q=0.9", "", None, "zh-Hans"),
        ("", "zh-HK", "", None, "zh-Hant"),
        ("", "pt-BR", "", None, "pt"),
        ("", "fr", "", None, "zh-Hant"),
        ("", "en", "", "pt zh-Hant", "pt"),
        ("", "en", "lang=zh-Hans", "pt", "zh-Hans"),
        ("lang=en", "pt", "lang=zh-Hans", "pt", "en"),
        ("lang=xx", "pt", "", None, "pt"),
        ("", "zh-Hans-HK", "", None, "zh-Hans"),
    ],
)
def test_the_language_is_the_persons_choice_then_the_portals_then_the_browsers(
    query: str, accept: str, cookie: str, asked: str | None, language: str
) -> None:
    assert choose_language(request(query, accept=accept, cookie=cookie), asked) == language


def test_a_page_carries_the_strict_headers_and_escapes(tmp_path: Path) -> None:
    folder = tmp_path / "pages"
    folder.mkdir()
    (folder / "x.html").write_text('{% extends "base.html" %}{% block content %}<p>{{ name }}</p>{% endblock %}')
    render = PageRenderer([ROOT / "service", tmp_path])
    response = render(request("a=1&lang=en", path="/here"), "x.html", {"name": "<script>alert(1)</script>"})
    body = bytes(response.body).decode()
    assert "<script>" not in body
    assert '<html lang="en">' in body
    assert "default-src 'none'" in response.headers["content-security-policy"]
    assert "frame-ancestors 'none'" in response.headers["content-security-policy"]
    assert response.headers["cache-control"] == "no-store"
    assert "/here?a=1&amp;lang=pt" in body
    assert "lang=en" in response.headers["set-cookie"]


def test_no_template_has_inline_code_or_foreign_addresses() -> None:
    templates = [path for package in PACKAGES for path in (ROOT / package / "pages").glob("*.html")]
    assert templates
    for path in templates:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\son\w+=|<style|style=|javascript:", text), path.name
        assert not re.search(r"<script(?![^>]*\ssrc=)", text), path.name
        assert not re.search(r"""(?:src|href|action)=["']https?://""", text), path.name


@pytest.mark.parametrize("language", [code for code in LANGUAGES if code != "en"])
@pytest.mark.parametrize("package", PACKAGES)
def test_every_text_of_every_template_is_translated(package: str, language: str) -> None:
    texts = {
        match
        for path in (ROOT / package / "pages").glob("*.html")
        for match in re.findall(r"""_\(\s*"((?:[^"\\]|\\.)+)\"""", path.read_text(encoding="utf-8"))
    }
    catalogue: set[str] = set()
    for owner in ("service", package):
        path = ROOT / owner / "translations" / f"{language.replace('-', '_')}.po"
        if path.exists():
            with path.open("rb") as file:
                catalogue |= {str(message.id) for message in read_po(file) if message.id and message.string}
    assert {text.replace('\\"', '"') for text in texts} <= catalogue
