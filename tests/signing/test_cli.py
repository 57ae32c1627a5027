"""The commands, as a person runs them, with a TSA and status services over real HTTP."""

import json
import socket
import threading
import time
from datetime import timedelta

import pytest
import uvicorn
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, load_der_private_key, pkcs12
from cryptography.x509 import load_der_x509_certificate
from starlette.applications import Starlette
from typer.testing import CliRunner

from sandbox.personas import PERSONAS
from sandbox.pki import build_pki
from sandbox.pki_routes import build_pki_routes
from signing.cli import app
from tests.support.signing import plain_pdf
from trust_lists.clock import utc_now

runner = CliRunner()
PASSWORD = "correct horse"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A sandbox PKI of now, served; a key file; the CA as PEM-less DER root; a PDF."""
    folder = tmp_path_factory.mktemp("cli")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    now = utc_now()
    pki = build_pki(folder / "pki", f"http://127.0.0.1:{port}", now)
    held = pki.issue("hk-rsa", PERSONAS["hk-resident"], at=now)
    key = load_der_private_key(held.private_key.der, None)
    chain = [load_der_x509_certificate(held.chain[0])]
    blob = pkcs12.serialize_key_and_certificates(
        b"me", key, load_der_x509_certificate(held.certificate), chain, BestAvailableEncryption(PASSWORD.encode())
    )
    (folder / "me.p12").write_bytes(blob)
    (folder / "hk.der").write_bytes(pki.authorities["hk-rsa"].certificate)
    (folder / "tsa.der").write_bytes(pki.authorities["tsa"].certificate)
    (folder / "in.pdf").write_bytes(plain_pdf())
    config = uvicorn.Config(Starlette(routes=build_pki_routes(pki)), port=port, log_level="error", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield folder, f"http://127.0.0.1:{port}/tsa", pki, held
    server.should_exit = True
    thread.join(5)


@pytest.fixture(autouse=True)
def password(monkeypatch):
    monkeypatch.setenv("GBA_TRUST_KEY_PASSWORD", PASSWORD)


def roots(folder) -> list[str]:
    return ["--trusted-roots", str(folder / "hk.der"), "--trusted-roots", str(folder / "tsa.der")]


def sign(world, name: str, *more: str):
    folder, tsa, _, _ = world
    command = ["sign", str(folder / "in.pdf"), str(folder / name), "--key", str(folder / "me.p12"), "--tsa", tsa]
    return runner.invoke(app, [*command, *roots(folder), *more])


def reports(*arguments: str) -> tuple[int, list[dict]]:
    done = runner.invoke(app, ["validate", *arguments, "--json"])
    return done.exit_code, [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


@pytest.mark.parametrize("level", ["B-B", "B-T", "B-LT", "B-LTA"])
def test_sign_and_validate_at_every_level(world, level):
    folder = world[0]
    done = sign(world, f"{level}.pdf", "--level", level, "--json")
    assert done.exit_code == 0, done.output
    code, (report,) = reports(str(folder / f"{level}.pdf"), *roots(folder))
    assert code == 0, report
    assert report["indication"] == "TOTAL_PASSED"
    assert report["signatures"][0]["level"] == level


def test_a_b_lta_file_needs_no_network_for_its_signer(world):
    folder = world[0]
    assert sign(world, "archive.pdf", "--level", "B-LTA").exit_code == 0
    _, (report,) = reports(str(folder / "archive.pdf"), *roots(folder), "--offline")
    # Only the newest time stamp's own authority is still asked about; the signer's data lies in the document.
    assert report["signatures"][0]["timestamps"][-1]["indication"] in ("TOTAL_PASSED", "INDETERMINATE")
    assert len(report["missing_evidence"]) <= 1


@pytest.mark.parametrize("level", ["B-T", "B-LT", "B-LTA"])
def test_extend_raises_the_level(world, level):
    folder, tsa, _, _ = world
    assert sign(world, "low.pdf", "--level", "B-B").exit_code == 0
    command = ["extend", str(folder / "low.pdf"), str(folder / "high.pdf"), "--level", level, "--tsa", tsa]
    done = runner.invoke(app, [*command, *roots(folder)])
    assert done.exit_code == 0, done.output
    code, (report,) = reports(str(folder / "high.pdf"), *roots(folder))
    assert (code, report["signatures"][0]["level"]) == (0, level)


def test_the_second_engine_by_name(world):
    folder = world[0]
    assert sign(world, "e.pdf", "--engine", "endesive").exit_code == 0
    assert reports(str(folder / "e.pdf"), *roots(folder))[0] == 0


def test_a_visible_signature(world):
    folder = world[0]
    assert sign(world, "v.pdf", "--visible", "1:72,72,300,140", "--reason", "Agreed 100%").exit_code == 0
    assert b"Digitally signed" in (folder / "v.pdf").read_bytes() or b"/AP" in (folder / "v.pdf").read_bytes()
    assert reports(str(folder / "v.pdf"), *roots(folder))[0] == 0


def test_integrity_only_needs_no_roots(world):
    folder = world[0]
    assert sign(world, "i.pdf").exit_code == 0
    code, (report,) = reports(str(folder / "i.pdf"), "--integrity-only")
    assert (code, report["integrity_verdict"], report["indication"]) == (0, "ok", "INDETERMINATE")


def test_several_files_one_line_each_and_the_worst_decides(world):
    folder = world[0]
    assert sign(world, "good.pdf").exit_code == 0
    good = (folder / "good.pdf").read_bytes()
    (folder / "bad.pdf").write_bytes(good[:200] + bytes([good[200] ^ 1]) + good[201:])
    (folder / "junk.pdf").write_bytes(b"junk")
    files = [str(folder / name) for name in ("good.pdf", "bad.pdf", "junk.pdf", "absent.pdf")]
    code, found = reports(*files, *roots(folder))
    assert code == 1
    assert [report["indication"] for report in found] == [
        "TOTAL_PASSED",
        "TOTAL_FAILED",
        "INDETERMINATE",
        "INDETERMINATE",
    ]
    assert found[2]["error"]["code"] == "document_malformed"
    assert found[3]["error"]["code"] == "file_unreadable"
    for report in found:
        assert {"file", "indication", "integrity_verdict", "signatures", "snapshot", "error"} <= report.keys()


def test_text_for_people_says_the_verdict_in_a_sentence(world):
    folder = world[0]
    assert sign(world, "t.pdf").exit_code == 0
    done = runner.invoke(app, ["validate", str(folder / "t.pdf"), *roots(folder)])
    assert "Signed by" in done.stdout
    assert "unchanged since" in done.stdout


def test_a_wrong_password_is_refused(world, monkeypatch):
    monkeypatch.setenv("GBA_TRUST_KEY_PASSWORD", "wrong")
    done = sign(world, "never.pdf")
    assert done.exit_code == 1
    assert "key_refused" in done.output
    assert not (world[0] / "never.pdf").exists()


def test_a_dead_tsa_is_unavailable_and_writes_nothing(world):
    folder = world[0]
    command = ["sign", str(folder / "in.pdf"), str(folder / "dead.pdf"), "--key", str(folder / "me.p12")]
    done = runner.invoke(app, [*command, "--tsa", "http://127.0.0.1:9/tsa", *roots(folder)])
    assert done.exit_code == 3
    assert "tsa_unavailable" in done.output
    assert not (folder / "dead.pdf").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["--key", "pkcs11:token=x"],
        ["--level", "B-T"],
        ["--visible", "nonsense"],
    ],
)
def test_usage_errors_exit_with_two(world, arguments):
    folder = world[0]
    command = ["sign", str(folder / "in.pdf"), str(folder / "u.pdf")]
    if "--key" not in arguments:
        command += ["--key", str(folder / "me.p12")]
    if "--visible" in arguments:
        command += ["--level", "B-B"]
    assert runner.invoke(app, [*command, *arguments]).exit_code == 2


def test_a_revoked_key_signs_nothing(world):
    folder, tsa, pki, _ = world
    now = utc_now()
    held = pki.issue("hk-rsa", PERSONAS["hk-resident-2"], at=now)
    pki.revoke(held.serial, now - timedelta(minutes=5))
    blob = pkcs12.serialize_key_and_certificates(
        b"x", load_der_private_key(held.private_key.der, None), load_der_x509_certificate(held.certificate),
        [load_der_x509_certificate(held.chain[0])], BestAvailableEncryption(PASSWORD.encode()),
    )  # fmt: skip
    (folder / "revoked.p12").write_bytes(blob)
    command = [
        "sign",
        str(folder / "in.pdf"),
        str(folder / "r.pdf"),
        "--key",
        str(folder / "revoked.p12"),
        "--tsa",
        tsa,
    ]
    done = runner.invoke(app, [*command, *roots(folder), "--json"])
    assert done.exit_code == 1
    assert json.loads(done.stdout.splitlines()[0])["error"]["code"] == "REVOKED_NO_POE"


def test_a_published_list_gives_every_row(world, tmp_path):
    from sandbox.operators import Operators
    from sandbox.services import service_drafts

    folder, _, pki, _ = world
    operators = Operators(tmp_path / "list", utc_now)
    operators.publish_first(service_drafts(pki))
    assert sign(world, "l.pdf").exit_code == 0
    arguments = [str(folder / "l.pdf"), "--trust-list", str(operators.repository)]
    code, (report,) = reports(*arguments)
    assert code == 0, report
    assert len(report["signatures"][0]["standing"]) == 4
    assert report["snapshot"]["version"] >= 1
    assert reports(*arguments, "--purpose", "mainland")[0] == 0
    assert reports(*arguments, "--purpose", "mo_qualified")[0] == 1


def test_the_time_can_be_set(world):
    folder = world[0]
    assert sign(world, "when.pdf", "--level", "B-B").exit_code == 0
    code, (report,) = reports(str(folder / "when.pdf"), *roots(folder), "--at", "2020-01-01T00:00:00Z")
    assert code == 1
    assert report["signatures"][0]["sub_indication"] == "NOT_YET_VALID"
