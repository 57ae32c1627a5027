"""The errand, over real HTTP between two processes; and that every line of it is caused by real work."""

import asyncio
import io
import json
import subprocess
import sys

import pytest
from pyhanko.pdf_utils.reader import PdfFileReader

from sandbox.errand.run import Summary, run_errand
from sandbox.errand.tampers import TAMPERS
from sandbox.setup import RunningPair

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
    assert signature.attached_timestamp_data is not None


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
