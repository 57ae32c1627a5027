"""The edges: fetching within limits, the validation API and page, the sandbox PKI over HTTP."""

import json

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sandbox.personas import PERSONAS
from sandbox.pki.profiles import Subject
from sandbox.pki_routes import build_pki_routes
from signing.certificates import parse_certificate
from signing.config import FetchLimits
from signing.errors import TsaUnavailable
from signing.evidence import EvidenceFetcher, Offline
from signing.model import Evidence, SignatureLevel
from signing.revocation import statements
from signing.tsa import TimestampClient
from tests.support import pki
from tests.support.pki import AT, BASE_URL
from tests.support.signing import plain_pdf, sign_pdf
from tests.support.signing_service import running


def client(*routes: Route) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(Starlette(routes=list(routes))), base_url=BASE_URL)


def sandbox() -> httpx.AsyncClient:
    return client(*build_pki_routes(pki.pki(), lambda: AT))


def pair() -> tuple[bytes, bytes]:
    held = pki.holder()
    return held.certificate, held.chain[0]


async def test_ocsp_first_and_the_answer_counts():
    async with sandbox() as http:
        found = await EvidenceFetcher(http).gather([pair()])
    assert (len(found.ocsp_responses), found.crls, found.missing) == (1, (), ())
    certificate, issuer = (parse_certificate(item) for item in pair())
    assert statements(certificate, issuer, [], found.ocsp_responses, AT)[0].revoked_at is None


async def test_the_crl_where_ocsp_fails():
    async def crl(_request):
        return Response(pki.pki().authorities["hk-rsa"].crl(AT))

    async with client(Route("/pki/hk-rsa/crl", crl)) as http:
        found = await EvidenceFetcher(http).gather([pair()])
    assert (len(found.crls), found.ocsp_responses) == (1, ())


async def test_nothing_is_followed_elsewhere_and_what_is_lacking_is_named():
    async def away(_request):
        return RedirectResponse("http://169.254.169.254/latest/meta-data")

    routes = [Route("/pki/hk-rsa/crl", away), Route("/pki/hk-rsa/ocsp", away, methods=["POST"])]
    async with client(*routes) as http:
        found = await EvidenceFetcher(http).gather([pair()])
    assert found.crls == found.ocsp_responses == ()
    assert len(found.missing) == 2


async def test_an_answer_without_end_is_cut_off():
    async def flood(_request):
        return Response(b"0" * 2_000_000)

    routes = [Route("/pki/hk-rsa/crl", flood), Route("/pki/hk-rsa/ocsp", flood, methods=["POST"])]
    async with client(*routes) as http:
        found = await EvidenceFetcher(http, FetchLimits(max_bytes=100_000)).gather([pair()])
    assert found.crls == found.ocsp_responses == ()


async def test_offline_names_what_is_missing():
    found = await Offline().gather([pair()])
    assert found == Evidence(missing=found.missing)
    assert "offline" in found.missing[0]


async def test_too_many_wishes_are_cut():
    async with sandbox() as http:
        fetcher = EvidenceFetcher(http, FetchLimits(max_fetches=1))
        other = pki.fresh()
        found = await fetcher.gather([pair(), (other.certificate, other.chain[0])])
    assert len(found.ocsp_responses) == 1
    assert "too many" in found.missing[0]


async def test_a_time_stamp_over_http():
    async with sandbox() as http:
        assert (await TimestampClient(f"{BASE_URL}/tsa", http).stamp(b"data"))[:1] == b"\x30"
        with pytest.raises(TsaUnavailable):
            await TimestampClient(f"{BASE_URL}/nowhere", http).stamp(b"data")
        with pytest.raises(TsaUnavailable):
            await TimestampClient("file:///etc/passwd", http).stamp(b"data")


async def test_the_certificate_store_of_a_ca():
    held = pki.pki().issue("mo-p256", Subject("SILVA, Ana", "MO"), at=AT)
    async with sandbox() as http:
        one = await http.get("/pki/mo-p256/search", params={"name": "SILVA, Ana"})
        assert (one.headers["content-type"], one.content) == ("application/pkix-cert", held.certificate)
        assert (await http.get("/pki/mo-p256/search", params={"name": "Nobody"})).status_code == 404
        assert (await http.get("/pki/none/search", params={"name": "SILVA, Ana"})).status_code == 404
        pki.pki().issue("mo-p256", Subject("SILVA, Ana", "MO"), at=AT)
        two = await http.get("/pki/mo-p256/search", params={"name": "SILVA, Ana"})
        assert two.headers["content-type"].startswith("multipart/mixed")


@pytest.mark.parametrize("body", [b"", b"junk", b"\x30\x00", b"x" * 20_000])
async def test_the_status_services_survive_junk(body):
    async with sandbox() as http:
        ocsp = await http.post("/pki/hk-rsa/ocsp", content=body)
        stamp = await http.post("/tsa", content=body, headers={"content-type": "application/timestamp-query"})
    assert ocsp.status_code == (400 if len(body) > 10_000 else 200)
    assert stamp.status_code == (400 if len(body) > 10_000 else 200)


def test_keys_are_private_on_disk_and_a_second_build_finds_the_first(tmp_path):
    from sandbox.pki import build_pki

    first = build_pki(tmp_path / "pki", BASE_URL, AT)
    held = first.holder_certificate("hk-rsa", PERSONAS["hk-resident"], AT)
    again = build_pki(tmp_path / "pki", BASE_URL, AT)
    assert again.holder_certificate("hk-rsa", PERSONAS["hk-resident"], AT).certificate == held.certificate
    assert again.tsa_certificate == first.tsa_certificate
    again.revoke(held.serial, AT)
    assert first.authorities["hk-rsa"]._files.revoked(held.serial) is not None
    assert first.renew_holder("hk-rsa", PERSONAS["hk-resident"], AT).serial != held.serial
    modes = {path.stat().st_mode & 0o777 for path in (tmp_path / "pki").rglob("*") if path.is_file()}
    assert modes == {0o600}
    with pytest.raises(KeyError):
        first.revoke(1, AT)


@pytest.fixture
async def service(tmp_path):
    async with running(tmp_path) as made:
        yield made


async def post(service, document: bytes, **fields: str) -> httpx.Response:
    files = {"document": ("x.pdf", document, "application/pdf")}
    return await service.http.post("/api/v1/validation", data=fields, files=files)


async def test_the_validation_api_gives_the_promised_object(service):
    report = (await post(service, sign_pdf(level=SignatureLevel.B_T))).json()
    assert report["indication"] == "TOTAL_PASSED"
    assert report["snapshot"]["version"] == service.listed.snapshot.version
    (signature,) = report["signatures"]
    assert {
        "field",
        "indication",
        "sub_indication",
        "level",
        "format",
        "algorithm",
        "digest_algorithm",
        "integrity",
        "signer",
        "claimed_signing_time",
        "best_signature_time",
        "timestamps",
        "standing",
        "warnings",
    } <= signature.keys()
    assert signature["integrity"] == {
        "digest": "ok", "signature_value": "ok", "byte_range": "ok", "coverage": "whole_file", "modification": "none",
    }  # fmt: skip
    assert len(signature["standing"]) == len(service.listed.snapshot.scheme.purposes)
    assert signature["signer"]["region"] == "hk"


async def test_a_purpose_narrows_the_rows(service):
    report = (await post(service, sign_pdf(), purpose="mainland")).json()
    assert [row["purpose"] for row in report["signatures"][0]["standing"]] == ["mainland"]
    assert (await post(service, sign_pdf(), purpose="nonsense")).json()["code"] == "invalid_request"
    assert (await post(service, sign_pdf(), policy="nonsense")).json()["code"] == "invalid_request"


async def test_the_page_judges_without_a_script(service):
    empty = await service.http.get("/validate")
    assert empty.status_code == 200
    assert "<script" not in empty.text
    files = {"document": ("<b>x</b>.pdf", sign_pdf(level=SignatureLevel.B_T), "application/pdf")}
    judged = await service.http.post("/validate", files=files, headers={"accept-language": "en"})
    assert "Signed by" in judged.text
    assert judged.text.count("<tr>") >= 5
    assert "<b>x</b>" not in judged.text


@pytest.mark.parametrize(("tag", "word"), [("zh-HK", "簽署"), ("zh-CN", "签署"), ("pt", "assinado"), ("en", "signed")])
async def test_the_page_speaks_four_languages(service, tag, word):
    page = await service.http.get("/validate", headers={"accept-language": tag})
    assert word in page.text


async def test_every_visible_text_is_translated():
    import re
    from pathlib import Path

    from babel.messages.pofile import read_po

    root = Path(__file__).resolve().parents[2] / "signing"
    texts = {
        text
        for path in (root / "pages").glob("*.html")
        for text in re.findall(r'_\("((?:[^"\\]|\\.)*)"', path.read_text())
    }
    for name in ("zh_Hant", "zh_Hans", "pt"):
        with (root / "translations" / f"{name}.po").open("rb") as file:
            known = {message.id for message in read_po(file) if message.string}
        assert texts <= known


@pytest.mark.parametrize("content", [b"", b"junk", plain_pdf()])
async def test_the_api_answers_whatever_the_bytes(service, content):
    answer = await post(service, content)
    assert answer.status_code == 200
    assert json.loads(answer.content)["indication"] in ("INDETERMINATE", "NO_SIGNATURE")


async def test_a_form_without_a_document(service):
    answer = await service.http.post("/api/v1/validation", data={"x": "y"})
    assert answer.json()["code"] == "invalid_request"


async def test_a_rejection_is_said_to_be_one():
    from signing.tsa import read_response

    async with sandbox() as http:
        headers = {"content-type": "application/timestamp-query"}
        rejected = await http.post("/tsa", content=b"junk", headers=headers)
    with pytest.raises(TsaUnavailable, match="refused"):
        read_response(rejected.content, bytes(32), 1)
