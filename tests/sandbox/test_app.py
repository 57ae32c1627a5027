"""The sandbox as a whole: its front page lists what is simulated, and every address on it answers."""

import re
from pathlib import Path

import httpx
import pytest

from sandbox.app import SIMULATED, create_sandbox
from sandbox.errand.context import Addresses
from sandbox.personas import PERSONAS
from sandbox.setup import prepare
from trust_lists.clock import utc_now


@pytest.fixture(scope="module")
def application(tmp_path_factory, models_dir):
    data = tmp_path_factory.mktemp("sandbox") / "data"
    data.mkdir()
    base = "http://127.0.0.1:8100"
    prepare(data, Addresses("http://127.0.0.1:8000", "http://127.0.0.1:8001", base), at=utc_now())
    return create_sandbox(data, base_url=base, service_url="http://127.0.0.1:8000", models=models_dir)


async def get(application, path: str, accept: str = "*/*") -> httpx.Response:
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8100") as client:
        return await client.get(path, headers={"Accept": accept})


async def test_the_front_page_lists_everything_and_says_simulated(application) -> None:
    page = await get(application, "/")
    assert page.status_code == 200
    assert "Simulated" in page.text
    assert set(re.findall(r'<a href="([^"]+)"', page.text)) == {path for path, _, _ in SIMULATED}


@pytest.mark.parametrize("path", [path for path, _, _ in SIMULATED if not path.startswith("/trust-list")])
async def test_every_address_on_it_answers(application, path: str) -> None:
    assert (await get(application, path)).status_code == 200


async def test_nothing_is_published_before_the_operators_publish(application) -> None:
    assert (await get(application, "/trust-list/metadata/timestamp.json")).status_code == 404


async def test_every_persona_is_shown_with_its_permit(application) -> None:
    personas = (await get(application, "/personas")).json()["personas"]
    assert [persona["id"] for persona in personas] == list(PERSONAS)
    resident = personas[0]
    assert [len(line) for line in resident["mrz"]] == [30, 30, 30]
    page = (await get(application, "/personas", "text/html")).text
    assert resident["permit_number"] in page


async def test_a_revoked_and_a_renewed_holder_have_other_certificates(application) -> None:
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8100") as client:
        revoked = (await client.post("/holders/hk-resident/revoke")).json()["revoked"]
        renewed = (await client.post("/holders/hk-resident/renew")).json()["serial"]
        assert revoked != renewed
        assert (await client.post("/holders/nobody/renew")).status_code == 404
        assert (await client.post("/holders/nobody/foreign-signature", content=b"x")).status_code == 404


def test_a_second_preparation_changes_nothing(tmp_path: Path) -> None:
    addresses = Addresses("http://127.0.0.1:8000", "http://127.0.0.1:8001", "http://127.0.0.1:8100")
    (tmp_path / "data").mkdir()
    config = prepare(tmp_path / "data", addresses, at=utc_now())
    before = {path: path.read_bytes() for path in (tmp_path / "data" / "sandbox").rglob("*") if path.is_file()}
    assert prepare(tmp_path / "data", addresses, at=utc_now()) == config
    after = {path: path.read_bytes() for path in (tmp_path / "data" / "sandbox").rglob("*") if path.is_file()}
    assert after == before
