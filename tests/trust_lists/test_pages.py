"""The browse pages and the downloads: four languages, search, history, ETag, and addresses that never change their meaning."""

import re
from pathlib import Path

import httpx
import pytest
from babel.messages.pofile import read_po
from starlette.applications import Starlette

from sandbox.operators import Operators
from service.page_renderer import LANGUAGES, PageRenderer
from tests.support.trust_lists import Ticker, operators
from trust_lists.client import TrustListClient
from trust_lists.document import parse_region_list
from trust_lists.page_routes import build_page_routes
from trust_lists.routes import build_routes
from trust_lists.vocabulary import Region
from trust_lists.xml_export import xml_name
from trust_lists.xml_import import import_list, region_list_of

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "trust_lists"


class Site:
    """A service over one reader."""

    def __init__(self, made: Operators, clock: Ticker, cache: Path | None) -> None:
        self.client = TrustListClient(made.repository, cache, made.trusted_root(), clock)
        render = PageRenderer([ROOT / "service", PACKAGE])
        app = Starlette(routes=[*build_routes(self.client), *build_page_routes(self.client, render)])
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service.test")

    async def get(self, path: str, **headers: str) -> httpx.Response:
        return await self.http.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})


@pytest.fixture
def clock() -> Ticker:
    return Ticker()


@pytest.fixture
def made(tmp_path: Path, clock: Ticker) -> Operators:
    made = operators(tmp_path / "operators", clock)
    made.set_status("hk-rsa", "suspended")
    return made


@pytest.fixture
async def site(made: Operators, clock: Ticker, tmp_path: Path) -> Site:
    made_site = Site(made, clock, tmp_path / "cache")
    await made_site.client.refresh()
    return made_site


@pytest.mark.parametrize(
    "language, words",
    [
        ("zh-Hant", ("三地信任清單", "暫停", "澳門", "下載")), ("zh-Hans", ("三地信任清单", "已暂停", "澳门", "下载")),
        ("pt", ("Lista de confiança das três regiões", "Suspenso", "Macau")),
        ("en", ("Trust list of the three regions", "Suspended", "Macao")),
    ],
)  # fmt: skip
async def test_the_list_in_four_languages(site: Site, language: str, words: tuple[str, ...]) -> None:
    page = await site.get(f"/trust-list?lang={language}")
    assert page.status_code == 200
    assert page.headers["content-language"] == language
    for word in (*words, "HK CA", "GD SM2 CA", site.client.current().sha256):
        assert word in page.text
    assert len(page.content) < 60_000
    assert "<script" not in page.text


def test_every_word_is_translated() -> None:
    asked = set()
    for template in (PACKAGE / "pages").glob("*.html"):
        asked |= set(re.findall(r"_\([\"']((?:[^\"\\]|\\.)+?)[\"'](?:,|\))", template.read_text()))
    assert len(asked) > 50
    for language in LANGUAGES:
        if language == "en":
            continue
        known: dict[str, str] = {}
        for package in ("service", "trust_lists"):
            with (ROOT / package / "translations" / f"{language.replace('-', '_')}.po").open("rb") as file:
                known |= {str(message.id): str(message.string) for message in read_po(file)}
        assert [text for text in asked if not known.get(text)] == []
        for text in asked:
            assert re.findall(r"%\(\w+\)s", text) == re.findall(r"%\(\w+\)s", known[text])


async def names(site: Site, query: str) -> list[str]:
    page = await site.get(f"/trust-list?lang=en&{query}")
    assert page.status_code == 200
    return re.findall(r'href="/trust-list/services/([a-z0-9-]+)"', page.text)


async def test_search_and_filters(site: Site) -> None:
    assert await names(site, "") == ["hk-rsa", "hk-tsa", "mo-p256", "gd-rsa", "gd-sm2"]
    assert await names(site, "q=gd+sm2") == ["gd-sm2"]
    assert await names(site, "q=2.16.344.8.2.2008") == ["hk-rsa"]
    assert await names(site, "q=" + site.client.current().service("mo-p256").key_sha256[:20]) == ["mo-p256"]
    assert await names(site, "region=hk&type=tsa") == ["hk-tsa"]
    assert await names(site, "status=suspended") == ["hk-rsa"]
    assert await names(site, "q=%3Cscript%3E") == []
    page = await site.get("/trust-list?q=%3Cscript%3E&lang=en")
    assert "<script>" not in page.text
    assert "What is not listed is not recognised." in page.text
    for odd in ("page=0", "page=99", "page=x", "page=" + "9" * 50, "q=" + "a" * 5000):
        assert (await site.get(f"/trust-list?{odd}")).status_code == 200


async def test_long_lists_have_pages(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trust_lists.page_routes.PAGE_SIZE", 2)
    assert await names(site, "page=1") == ["hk-rsa", "hk-tsa"]
    assert await names(site, "page=3") == ["gd-sm2"]
    assert "Page 2 of 3" in (await site.get("/trust-list?page=2&lang=en")).text


async def test_history_of_a_service(site: Site, made: Operators) -> None:
    made.set_status("hk-rsa", "granted")
    await site.client.refresh()
    page = await site.get("/trust-list/services/hk-rsa?lang=en")
    assert re.findall(r'badge-(\w+)">', page.text) == ["granted", "granted", "suspended", "granted"]
    assert "2.16.344.8.2.2008.810.2" in page.text
    tsa = await site.get("/trust-list/services/hk-tsa?lang=en")
    assert "no certificate is recognised through it" in tsa.text
    assert (await site.get("/trust-list/services/nobody")).status_code == 404


async def test_pages_are_not_sent_again(site: Site, made: Operators) -> None:
    first = await site.get("/trust-list?lang=en")
    etag = first.headers["etag"]
    again = await site.get("/trust-list?lang=en", if_none_match=etag)
    assert (again.status_code, again.content) == (304, b"")
    assert (await site.get("/trust-list?lang=pt", if_none_match=etag)).status_code == 200
    made.set_status("mo-p256", "suspended")
    await site.client.refresh()
    assert (await site.get("/trust-list?lang=en", if_none_match=etag)).status_code == 200


async def test_an_unusable_list_is_not_shown_as_one(made: Operators, clock: Ticker) -> None:
    site = Site(made, clock, None)
    page = await site.get("/trust-list?lang=en")
    assert page.status_code == 503
    assert "trust_list_unavailable" in page.text
    await site.client.refresh()
    clock.forward(days=9)
    page = await site.get("/trust-list/services/hk-rsa?lang=en")
    assert page.status_code == 503
    assert "trust_list_stale" in page.text
    assert "HK Post" not in page.text


# --- downloads ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("with_copy", [True, False])
async def test_documents_under_the_version_s_hash(
    made: Operators, clock: Ticker, tmp_path: Path, with_copy: bool
) -> None:
    site = Site(made, clock, tmp_path / "cache" if with_copy else None)
    snapshot = await site.client.refresh()
    base = f"/api/v1/trust-list/versions/{snapshot.sha256}"
    for region in Region:
        answer = await site.get(f"{base}/{region.value}.json")
        assert parse_region_list(answer.content) == snapshot.sections[region]
        assert "immutable" in answer.headers["cache-control"]
        again = await site.get(f"{base}/{region.value}.json", if_none_match=answer.headers["etag"])
        assert again.status_code == 304
    assert (await site.get(f"{base}/scheme.json")).status_code == 200
    assert (await site.get(f"{base}/root.json")).content == snapshot.envelope.root
    assert (await site.get(f"{base}/snapshot.json")).content == snapshot.envelope.snapshot
    assert (await site.get(f"{base}/checkpoint.txt")).content == snapshot.envelope.logged.note
    for path in (
        f"{base}/x.json",
        f"{base}/..%2froot.json",
        f"/api/v1/trust-list/versions/{'0' * 64}/hk.json",
        f"{base}/hk.xml",
    ):
        assert (await site.get(path)).status_code == 404


async def test_xml_is_handed_on_only_when_it_says_the_same(site: Site, made: Operators) -> None:
    snapshot = site.client.current()
    base = f"/api/v1/trust-list/versions/{snapshot.sha256}"
    made.export_xml("https://example.test/list")
    answer = await site.get(f"{base}/hk.xml")
    assert region_list_of(import_list(answer.content).list) == snapshot.sections[Region.HK]
    assert (await site.get(f"{base}/lists.xml")).status_code == 200
    path = made.repository / xml_name(snapshot.version, Region.MO)
    path.write_bytes((made.repository / xml_name(snapshot.version, Region.HK)).read_bytes())
    with pytest.raises(Exception, match="does not say what the accepted list says"):
        await site.get(f"{base}/mo.xml")
    assert (await site.get(f"{base}/hk.xml")).content == answer.content  # held: not fetched again


async def test_a_document_that_the_source_lost(made: Operators, clock: Ticker) -> None:
    site = Site(made, clock, None)
    snapshot = await site.client.refresh()
    path = next((made.repository / "targets" / "hk").glob(f"{snapshot.document_hashes['hk/list.json']}*"))
    path.write_bytes(b"{}")
    with pytest.raises(Exception, match="does not have this document"):
        await site.get(f"/api/v1/trust-list/versions/{snapshot.sha256}/hk.json")
