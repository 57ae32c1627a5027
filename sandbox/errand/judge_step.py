"""Step 6: any reader judges the signed document against the trust list, before and after the CA is withdrawn.

Owns:    the four judgements and what each must say. Leaves judging to the service's API and to the `gba-trust validate` command.
"""

import asyncio
import json
import subprocess
import sys

from sandbox.errand.context import Errand, StepResult
from sandbox.errand.list_step import HK_SERVICE, wait_for_service
from sandbox.errors import ErrandFailed

COMMAND_TIMEOUT_S = 60
TIMESTAMP_RESOLUTION_S = 1.05


async def judge_document(errand: Errand) -> StepResult:
    """Judge the signed document, an altered copy, and both sides of a withdrawal.

    Raises:
        ErrandFailed: with the sub-indication, when the document does not pass.
    """
    signed = errand.outputs["signed.pdf"]
    altered = alter(signed)
    if errand.tamper == "altered-pdf":
        signed = altered
    report = await judge(errand, signed)
    expect_passed(report)
    errand.outputs["report.json"] = json.dumps(report, indent=1, ensure_ascii=False).encode()
    bad = await judge(errand, altered)
    _expect(bad, "TOTAL_FAILED", "HASH_FAILURE")
    by_command = judge_by_command(errand, signed)
    if by_command["indication"] != report["indication"]:
        raise ErrandFailed("readers_disagree", "the command and the API do not give the same verdict")
    where = recognised_in(report)
    await _withdraw(errand, signed)
    errand.facts["judgement"] = {"indication": report["indication"], "recognised": where, "altered": "HASH_FAILURE"}
    proven = (
        f"TOTAL_PASSED, recognised for {', '.join(where)}; one changed byte: TOTAL_FAILED/HASH_FAILURE; after the Hong Kong CA "
        "was withdrawn a new signature is recognised nowhere, the earlier, time-stamped one still is"
    )
    return StepResult(6, "judgement", proven, "validation report against the trust list")


async def judge(errand: Errand, document: bytes) -> dict[str, object]:
    """Return the service's validation report of a document."""
    return await errand.upload(f"{errand.at.service}/api/v1/validation", document)


def judge_by_command(errand: Errand, document: bytes) -> dict[str, object]:
    """Return the verdict of `gba-trust validate`, reading the published list by itself."""
    path = errand.work / "signed.pdf"
    path.write_bytes(document)
    command = [sys.executable, "-m", "service.cli", "validate", str(path), "--json"]
    command += ["--trust-list", f"{errand.at.sandbox}/trust-list", "--trust-list-root", str(errand.root_file)]
    done = subprocess.run(  # noqa: S603 - our own program
        command, capture_output=True, text=True, check=False, timeout=COMMAND_TIMEOUT_S
    )
    lines = done.stdout.splitlines()
    if not lines:
        raise ErrandFailed("validate_failed", done.stderr.strip()[-300:])
    verdict: dict[str, object] = json.loads(lines[0])
    error = verdict.get("error")
    if isinstance(error, dict):
        raise ErrandFailed(str(error["code"]), f"gba-trust validate: {error['detail']}")
    return verdict


def alter(document: bytes) -> bytes:
    """Return a copy with one byte changed inside the signed content: a digit of the drawn text or of an object."""
    at = document.index(b"stream\n") + len(b"stream\n") + 20
    return document[:at] + bytes([document[at] ^ 0x01]) + document[at + 1 :]


def expect_passed(report: dict[str, object]) -> None:
    """Raise the report's own sub-indication when the document did not pass."""
    if report["indication"] != "TOTAL_PASSED":
        raise ErrandFailed(_sub_indication(report), f"the document is judged {report['indication']}")
    if not recognised_in(report):
        raise ErrandFailed("not_recognised", "the signature is technically good but recognised nowhere")


def recognised_in(report: dict[str, object]) -> list[str]:
    """Return `region:purpose` for every recognised standing of the first signature."""
    return [
        f"{row['region']}:{row['purpose']}" for row in _signature(report)["standing"] if row["effect"] == "recognised"
    ]


async def _withdraw(errand: Errand, earlier: bytes) -> None:
    """Let Hong Kong withdraw its CA; a new signature must not be recognised, the earlier one must."""
    operators = f"{errand.at.sandbox}/operators"
    withdrawn = await errand.send("POST", f"{operators}/services/{HK_SERVICE}/status", {"status": "withdrawn"})
    try:
        await wait_for_service(errand, int(str(withdrawn["version"])))
        expect_passed(await judge(errand, earlier))
        # A time stamp has whole seconds: one taken in the second of the withdrawal would still read as before it.
        await asyncio.sleep(TIMESTAMP_RESOLUTION_S)
        await _expect_late_signature_unrecognised(errand)
    finally:
        restored = await errand.send("POST", f"{operators}/services/{HK_SERVICE}/status", {"status": "granted"})
        await wait_for_service(errand, int(str(restored["version"])))


async def _expect_late_signature_unrecognised(errand: Errand) -> None:
    """Somebody else's software signs under the withdrawn CA: the judge must recognise it nowhere."""
    late = await errand.post_bytes(
        f"{errand.at.sandbox}/holders/{errand.citizen.id}/foreign-signature", errand.outputs["application.pdf"]
    )
    report = await judge(errand, late)
    _expect(report, "INDETERMINATE", "NO_CERTIFICATE_CHAIN_FOUND_NO_POE")
    if recognised_in(report):
        raise ErrandFailed("withdrawal_not_noticed", "a signature made under the withdrawn CA is recognised")
    errand.outputs["late-report.json"] = json.dumps(report, indent=1, ensure_ascii=False).encode()


def _expect(report: dict[str, object], indication: str, sub_indication: str) -> None:
    if report["indication"] != indication or _sub_indication(report) != sub_indication:
        found = f"{report['indication']}/{_sub_indication(report)}"
        raise ErrandFailed("verdict_unexpected", f"expected {indication}/{sub_indication}, found {found}")


def _signature(report: dict[str, object]) -> dict[str, list[dict[str, str]]]:
    signatures = report["signatures"]
    if not isinstance(signatures, list) or not signatures:
        raise ErrandFailed("NO_SIGNATURE", "the document carries no signature")
    first: dict[str, list[dict[str, str]]] = signatures[0]
    return first


def _sub_indication(report: dict[str, object]) -> str:
    signatures = report.get("signatures")
    if isinstance(signatures, list) and signatures:
        return str(signatures[0].get("sub_indication"))
    return "NO_SIGNATURE"
