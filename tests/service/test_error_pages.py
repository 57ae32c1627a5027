"""Errors: a page in the person's language for a browser, a problem document for a program, nothing of the inside for anybody."""

from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from starlette.exceptions import HTTPException

from idp.errors import TooManyRequests
from liveness.errors import Busy, DocumentCheckDigit
from service.error_pages import build_error_handler
from service.foundation import PACKAGES, ROOT
from service.page_renderer import PageRenderer
from service.problem_details import DOMAIN_ERRORS
from service.telemetry import Metrics, RequestTelemetry
from signing.errors import AccessRefused, TransactionUnknown
from trust_lists.errors import TrustListStale

ERRORS = {
    "stale": TrustListStale("the list is too old"),
    "scope": AccessRefused("another scope", "insufficient_scope"),
    "token": AccessRefused("no token", "invalid_token"),
    "unknown": TransactionUnknown("no such transaction"),
    "many": TooManyRequests(7),
    "busy": Busy("later", retry_after_s=2),
    "digit": DocumentCheckDigit("wrong", field="mrz line 1", position=15, found="4", expected="3"),
    "bug": KeyError("secret-inside"),
}


@pytest.fixture
def application() -> FastAPI:
    app = FastAPI()

    async def fail(name: str) -> None:
        raise ERRORS[name]

    app.add_api_route("/api/v1/{name}", fail)
    app.add_api_route("/page/{name}", fail)
    handler = build_error_handler(PageRenderer([ROOT / name for name in PACKAGES]))
    for error in (*DOMAIN_ERRORS, HTTPException, Exception):
        app.add_exception_handler(error, handler)
    app.add_middleware(RequestTelemetry, metrics=Metrics())
    return app


async def ask(application: FastAPI, path: str, **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(application, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.get(path, headers=headers)


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("stale", 503, "trust_list_stale"),
        ("scope", 403, "insufficient_scope"),
        ("token", 401, "invalid_token"),
        ("unknown", 404, "transaction_not_found"),
        ("many", 429, "too_many_requests"),
        ("busy", 503, "liveness_busy"),
        ("digit", 422, "document_check_digit"),
        ("bug", 500, "internal_error"),
    ],
)
async def test_programs_get_problem_documents(application: FastAPI, name: str, status: int, code: str) -> None:
    answer = await ask(application, f"/api/v1/{name}", accept="text/html")
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == code
    assert answer.json()["status"] == status
    assert "secret-inside" not in answer.text


async def test_a_wrong_character_is_pointed_at(application: FastAPI) -> None:
    answer = (await ask(application, "/api/v1/digit")).json()
    assert (answer["field"], answer["position"], answer["expected"]) == ("mrz line 1", 15, "3")


@pytest.mark.parametrize(("name", "seconds"), [("many", "7"), ("busy", "2")])
async def test_retry_after_is_honest(application: FastAPI, name: str, seconds: str) -> None:
    assert (await ask(application, f"/api/v1/{name}")).headers["retry-after"] == seconds


async def test_a_bad_token_is_told_the_scheme(application: FastAPI) -> None:
    assert (await ask(application, "/api/v1/token")).headers["www-authenticate"] == 'Bearer error="invalid_token"'


@pytest.mark.parametrize(("name", "status"), [("bug", 500), ("unknown", 404), ("token", 401)])
async def test_people_get_pages_in_their_language(application: FastAPI, name: str, status: int) -> None:
    answer = await ask(application, f"/page/{name}", accept="text/html", **{"accept-language": "pt"})
    assert answer.status_code == status
    assert '<html lang="pt">' in answer.text
    assert "Número de referência" in answer.text
    assert "secret-inside" not in answer.text


async def test_an_unknown_address_is_a_page_or_a_problem(application: FastAPI) -> None:
    page = await ask(application, "/nowhere", accept="text/html", **{"accept-language": "en"})
    assert page.status_code == 404
    assert "This page is not here" in page.text
    assert (await ask(application, "/nowhere")).json()["code"] == "not_found"


def test_the_templates_folder_is_the_products() -> None:
    assert (Path(ROOT) / "service" / "pages" / "service_error.html").is_file()
