"""The errand, over real HTTP between two processes; and that every line of it is caused by real work."""

import asyncio
import io
import itertools
import json
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from pyhanko.pdf_utils.reader import PdfFileReader

from sandbox.errand.run import Summary, run_errand, write_outputs
from sandbox.errand.tampers import TAMPERS
from sandbox.setup import RunningPair, free_ports, running_pair

pytestmark = [pytest.mark.errand, pytest.mark.models]


def do_errand(pair: RunningPair, tamper: str | None = None) -> Summary:
    return asyncio.run(run_errand(pair.addresses, tamper=tamper, say=lambda step: None))


@pytest.fixture(scope="session")
def done(pair: RunningPair) -> Summary:
    return do_errand(pair)


def test_the_errand_ends_with_every_step_proven(done: Summary) -> None:
    assert done.ok, (done.error_step, done.error_code, done.error_detail)
    assert [step.number for step in done.steps] == [1, 2, 3, 4, 5, 6, 7]


def test_the_portal_verified_what_the_issue_promises(done: Summary) -> None:
    tokens = done.facts["tokens"]
    assert tokens["acr"] == "urn:gba-trust:acr:substantial"
    assert tokens["upstream"]["connector"] == "iam_smart"
    frameworks = {claims["verification"]["trust_framework"] for claims in tokens["verified_claims"]}
    assert "gba_mutual_recognition" in frameworks
    text = json.dumps(tokens)
    assert "liveness" in text
    assert "A123456" not in text, "a personal number reached the portal that asked for none"


def test_the_signed_document_is_pades_b_t_for_a_foreign_reader(done: Summary) -> None:
    reader = PdfFileReader(io.BytesIO(done.outputs["signed.pdf"]))
    (signature,) = reader.embedded_regular_signatures
    assert signature.sig_object["/SubFilter"] == "/ETSI.CAdES.detached"
    signature.compute_integrity_info()
    unsigned = {attribute["type"].native for attribute in signature.signer_info["unsigned_attrs"]}
    assert "signature_time_stamp_token" in unsigned


def test_a_second_errand_on_the_same_data_works_too(pair: RunningPair, done: Summary) -> None:
    again = do_errand(pair)
    assert again.ok, (again.error_step, again.error_code, again.error_detail)


@pytest.mark.parametrize("tamper", sorted(TAMPERS))
def test_each_fault_is_refused_at_its_step_with_its_code(pair: RunningPair, done: Summary, tamper: str) -> None:
    summary = do_errand(pair, tamper)
    assert not summary.ok
    assert summary.error_code in TAMPERS[tamper].codes, (summary.error_code, summary.error_detail)
    assert summary.error_step == TAMPERS[tamper].step


def test_after_every_fault_the_errand_works_again(pair: RunningPair, done: Summary) -> None:
    summary = do_errand(pair)
    assert summary.ok, (summary.error_step, summary.error_code, summary.error_detail)


def test_the_command_ends_in_exit_1_and_says_the_code(pair: RunningPair, done: Summary) -> None:
    command = [sys.executable, "-m", "service.cli", "errand", "--tamper", "wrong-pkce", "--json"]
    command += ["--service", pair.addresses.service, "--sandbox", pair.addresses.sandbox]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert json.loads(ended.stdout)["error"]["code"] == "invalid_grant"


def test_an_unknown_fault_is_refused() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "service.cli", "errand", "--tamper", "nonsense", "--service", "http://127.0.0.1:9"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: sandbox_refused")


PERSONAL = ("A123456", "H12345678", "CHAN, Ka Yan", "CHAN<<KA", "陳嘉欣", "19900115", "1990-01-15", "900115")


def test_no_personal_data_in_logs_or_audit(pair: RunningPair, done: Summary) -> None:
    log = (pair.data / "logs" / "service.log").read_text()
    entries = httpx.get(f"{pair.addresses.management}/audit/entries?limit=5000").text
    metrics = httpx.get(f"{pair.addresses.management}/metrics").text
    for told in (log, entries, metrics):
        for personal in PERSONAL:
            assert personal not in told
        assert "eyJ" not in told, "something that looks like a token"
        assert "code=" not in told


def test_no_personal_data_lies_in_clear_in_the_database(pair: RunningPair, done: Summary) -> None:
    files = [path for name in ("service.db*", "audit.db*") for path in (pair.data / "service").glob(name)]
    assert {"service.db", "audit.db"} <= {path.name for path in files}
    stored = b"".join(path.read_bytes() for path in files)
    for personal in PERSONAL:
        assert personal.encode() not in stored


def test_the_whole_errand_stands_in_the_audit_log_in_order(pair: RunningPair, done: Summary) -> None:
    entries = httpx.get(f"{pair.addresses.management}/audit/entries?limit=5000").json()["entries"]
    events = [entry["event"] for entry in entries]
    for earlier, later in itertools.pairwise(("permit.opened", "permit.judged", "token.issued", "signing.created")):
        assert events.index(earlier) < events.index(later)


def test_the_second_start_finds_everything_and_is_quick(tmp_path: Path) -> None:
    port, sandbox_port = free_ports()
    with running_pair(tmp_path / "data", port=port, sandbox_port=sandbox_port) as first:
        before = httpx.get(f"{first.addresses.service}/jwks").json()
    with running_pair(tmp_path / "data", port=port, sandbox_port=sandbox_port) as second:
        assert httpx.get(f"{second.addresses.service}/jwks").json() == before
        assert httpx.get(f"{second.addresses.sandbox}/portal").status_code == 200


def test_the_signed_file_validates_by_command_against_the_copy_of_the_list(
    pair: RunningPair, done: Summary, tmp_path: Path
) -> None:
    write_outputs(done, tmp_path)
    command = [sys.executable, "-m", "service.cli", "validate", str(tmp_path / "signed.pdf"), "--json"]
    command += [
        "--trust-list",
        str(tmp_path / "trust-list"),
        "--trust-list-root",
        str(tmp_path / "trust-list-root.json"),
    ]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    verdict = json.loads(ended.stdout)
    assert verdict["indication"] == "TOTAL_PASSED"
    assert verdict["signatures"][0]["level"] == "B-T"
    assert {(row["region"], row["effect"]) for row in verdict["signatures"][0]["standing"]} >= {
        ("gd", "recognised"),
        ("mo", "not_recognised"),
    }
