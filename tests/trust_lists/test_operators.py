"""The sandbox's operators and their doors, and python-tuf's own updater as a foreign judge of what they publish."""

import asyncio
import contextlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from tuf.api.exceptions import ExpiredMetadataError, UnsignedMetadataError
from tuf.ngclient import Updater

from sandbox.operators import FAULTS, Operators
from sandbox.operators_routes import build_operator_routes
from tests.support.trust_lists import Ticker, drafts, operators, refusal
from trust_lists.client import TrustListClient
from trust_lists.clock import utc_now
from trust_lists.document import parse_region_list
from trust_lists.model import ServiceStatus
from trust_lists.routes import build_routes
from trust_lists.vocabulary import Region
from trust_lists.xml_import import import_list, region_list_of


def test_ceremony_and_publication_are_idempotent(tmp_path: Path) -> None:
    clock = Ticker()
    first = operators(tmp_path, clock)
    again = operators(tmp_path, clock)
    assert again.trusted_root() == first.trusted_root()
    assert again.snapshot.sha256 == first.snapshot.sha256
    assert (tmp_path / "keys" / "hk-officer.pem").stat().st_mode & 0o777 == 0o600


def test_a_restart_goes_on_from_the_published_version(tmp_path: Path) -> None:
    clock = Ticker()
    operators(tmp_path, clock).set_status("hk-rsa", "withdrawn")
    clock.forward(days=3)
    again = Operators(tmp_path, clock)
    assert again.snapshot.version == 2
    snapshot = again.set_status("hk-rsa", ServiceStatus.GRANTED)
    assert [period.status.word for period in snapshot.service("hk-rsa").periods] == ["granted", "withdrawn", "granted"]


def test_what_the_offices_refuse(tmp_path: Path) -> None:
    made = Operators(tmp_path, Ticker())
    assert refusal(made.set_status, "hk-rsa", "withdrawn") == "list_draft_refused"
    assert refusal(made.set_fault, "expired") == "list_draft_refused"
    made.publish_first(drafts())
    assert refusal(made.set_status, "hk-rsa", "granted") == "list_draft_refused"
    assert refusal(made.set_status, "nobody", "withdrawn") == "list_draft_refused"
    assert refusal(made.set_status, "hk-rsa", "gone") == "list_draft_refused"
    assert refusal(made.repeal_agreement, "nothing") == "list_draft_refused"
    assert refusal(made.set_fault, "unheard of") == "list_draft_refused"


def test_a_withdrawal_is_signed_by_its_region_alone(tmp_path: Path) -> None:
    made = operators(tmp_path)
    before = {path.name for path in (made.repository / "metadata").iterdir()}
    made.set_status("hk-rsa", "withdrawn")
    after = {path.name for path in (made.repository / "metadata").iterdir()}
    assert after - before == {"2.hk.json", "2.snapshot.json"}


def test_faults_leave_the_true_repository_alone(tmp_path: Path) -> None:
    made = operators(tmp_path)
    files = {path: path.read_bytes() for path in made.repository.rglob("*.json")}
    for fault in FAULTS:
        made.set_fault(fault)
        assert made.served != made.repository
    assert {path: path.read_bytes() for path in made.repository.rglob("*.json")} == files
    made.set_fault(None)
    assert made.served == made.repository
    assert made.set_status("hk-rsa", "suspended").version == 2


def test_the_timestamp_is_kept_fresh(tmp_path: Path) -> None:
    clock = Ticker()
    made = operators(tmp_path, clock)
    until = made.snapshot.fresh_until
    made.keep_fresh()
    assert made.snapshot.fresh_until == until
    clock.forward(hours=13)
    made.keep_fresh()
    assert made.snapshot.fresh_until > until
    clock.forward(days=25)
    made.keep_fresh()
    assert made.snapshot.version == 2  # the snapshot too neared its end


def _http(made: Operators) -> httpx.AsyncClient:
    app = Starlette(routes=build_operator_routes(made, drafts))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://sandbox.test")


async def test_the_doors(tmp_path: Path) -> None:
    made = Operators(tmp_path, Ticker())
    async with _http(made) as http:
        before = (await http.get("/operators")).json()
        assert not before["published"]
        assert before["trusted_root"].encode() == made.trusted_root()
        assert (await http.get("/trust-list/metadata/timestamp.json")).status_code == 404
        assert (await http.post("/operators/publish-first")).json()["version"] == 1
        assert (await http.post("/operators/publish-first")).json()["version"] == 1
        withdrawn = await http.post("/operators/services/hk-rsa/status", json={"status": "withdrawn"})
        assert {"id": "hk-rsa", "region": "hk", "type": "ca-qc", "status": "withdrawn"} in withdrawn.json()["services"]
        again = await http.post("/operators/services/hk-rsa/status", json={"status": "withdrawn"})
        assert (again.status_code, again.json()["code"]) == (409, "list_draft_refused")
        for body in (b"", b"[]", b"nonsense", b'{"status": {"a": 1}}'):
            assert (await http.post("/operators/services/hk-rsa/status", content=body)).status_code == 409
        assert (await http.put("/operators/fault", json={"fault": "expired"})).json()["fault"] == "expired"
        assert (await http.put("/operators/fault", json={"fault": "other"})).status_code == 409
        assert (await http.put("/operators/fault", json={"fault": None})).json()["fault"] is None


async def test_files_have_etags_and_nothing_else_is_served(tmp_path: Path) -> None:
    async with _http(operators(tmp_path)) as http:
        first = await http.get("/trust-list/metadata/1.snapshot.json")
        assert "immutable" in first.headers["cache-control"]
        same = await http.get("/trust-list/metadata/1.snapshot.json", headers={"if-none-match": first.headers["etag"]})
        assert same.status_code == 304
        stamp = await http.get("/trust-list/metadata/timestamp.json")
        assert stamp.headers["cache-control"] == "no-cache"
        for path in (
            "../keys/hk-officer.pem",
            "%2e%2e/keys/hk-officer.pem",
            ".lock",
            "metadata/",
            "",
            "metadata/x.pem",
            "/etc/passwd",
        ):
            assert (await http.get(f"/trust-list/{path}")).status_code == 404


async def test_xml_lies_beside_the_version(tmp_path: Path) -> None:
    made = operators(tmp_path)
    async with _http(made) as http:
        lists = await http.get("/trust-list/xml/1.lists.xml")
        assert lists.headers["content-type"].startswith("application/vnd.etsi.tsl+xml")
        pointers = import_list(lists.content).list.pointers
        assert [pointer.location.removeprefix("http://sandbox.test") for pointer in pointers] == [
            f"/trust-list/xml/1.{region}.xml" for region in ("hk", "mo", "gd")
        ]
        again = (await http.get("/trust-list/xml/1.lists.xml")).content
        assert again == lists.content
        first = import_list((await http.get("/trust-list/xml/1.hk.xml")).content, pointers[0].certificates[0])
        assert region_list_of(first.list) == made.snapshot.sections[Region.HK]
        made.set_status("hk-rsa", "withdrawn")
        assert (await http.get("/trust-list/xml/2.hk.xml")).status_code == 200
        assert (await http.get("/trust-list/xml/9.hk.xml")).status_code == 404


async def test_the_readers_api(tmp_path: Path) -> None:
    clock = Ticker()
    made = operators(tmp_path / "operators", clock)
    client = TrustListClient(made.repository, None, made.trusted_root(), clock)
    app = Starlette(routes=build_routes(client))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service.test") as http:
        assert (await http.get("/api/v1/trust-list")).json()["version"] is None
        snapshot = await client.refresh()
        status = (await http.get("/api/v1/trust-list")).json()
        assert (status["version"], status["sha256"], status["usable"]) == (1, snapshot.sha256, True)
        services = await http.get("/api/v1/trust-list/services")
        assert [row["id"] for row in services.json()["services"]] == ["hk-rsa", "hk-tsa", "mo-p256", "gd-rsa", "gd-sm2"]
        narrowed = await http.get("/api/v1/trust-list/services?region=hk&type=tsa")
        assert [row["id"] for row in narrowed.json()["services"]] == ["hk-tsa"]
        same = await http.get("/api/v1/trust-list/services", headers={"if-none-match": services.headers["etag"]})
        assert same.status_code == 304


@contextlib.contextmanager
def _serving(made: Operators) -> Iterator[str]:
    """The doors over real HTTP on loopback."""
    config = uvicorn.Config(Starlette(routes=build_operator_routes(made, drafts)), port=0, log_level="error", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()), daemon=True)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            threading.Event().wait(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}/trust-list"
    finally:
        server.should_exit = True
        thread.join(10)


def _updater(base: str, directory: Path, root: bytes) -> Updater:
    for name in ("metadata", "targets"):
        (directory / name).mkdir(parents=True, exist_ok=True)
    return Updater(
        str(directory / "metadata"),
        f"{base}/metadata",
        target_dir=str(directory / "targets"),
        target_base_url=f"{base}/targets",
        bootstrap=root,
    )


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # the fetcher keeps its session open until it is collected
def test_the_foreign_judge_accepts_and_refuses_the_same(tmp_path: Path) -> None:
    made = operators(tmp_path / "operators", utc_now)
    with _serving(made) as base:
        judge = _updater(base, tmp_path / "judge", made.trusted_root())
        judge.refresh()
        for path in ("scheme.json", "hk/list.json", "mo/list.json", "gd/list.json"):
            info = judge.get_targetinfo(path)
            assert info is not None
            downloaded = Path(judge.download_target(info)).read_bytes()
            if path != "scheme.json":
                assert parse_region_list(downloaded).region.value == path[:2]
            else:
                assert json.loads(downloaded)["SchemeInformation"]["SequenceNumber"] == 1
        assert judge.get_targetinfo("mo/other.json") is None
        made.set_fault("expired")
        with pytest.raises(ExpiredMetadataError):
            _updater(base, tmp_path / "judge", made.trusted_root()).refresh()
        made.set_fault("one_region")
        with pytest.raises(UnsignedMetadataError):
            _updater(base, tmp_path / "judge-2", made.trusted_root()).refresh()
