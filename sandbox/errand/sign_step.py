"""Step 5: the portal's document is signed by the citizen's remote key and time-stamped.

Owns:    what the citizen does on the page and on the phone, comparing the two identification codes. The portal posts and fetches.
"""

import asyncio
import time

from sandbox.errand.browser import Page
from sandbox.errand.context import Errand, StepResult, text
from sandbox.errors import ErrandFailed

PATIENCE_S = 25.0
POLL_S = 0.1


async def sign_document(errand: Errand) -> StepResult:
    """Let the portal post its document, authorise it, and fetch the signed one.

    Raises:
        ErrandFailed: with the code of the refusal.
    """
    if errand.tamper == "revoked-signer":
        await errand.send("PUT", f"{errand.at.sandbox}/config", {"mode": "interactive"})
    signed = await sign_once(errand)
    errand.outputs["signed.pdf"] = signed
    errand.facts["signed_bytes"] = len(signed)
    proven = (
        f"the citizen's remote key signed the mortgage application once; the code {errand.facts['identification_code']} "
        "stood on both screens; iAM Smart was acknowledged SR001; time-stamped by the sandbox TSA"
    )
    return StepResult(5, "signature", proven, f"signed.pdf, PAdES B-T, {len(signed)} bytes")


async def sign_once(errand: Errand) -> bytes:
    """Have one document signed; return it."""
    portal = f"{errand.at.sandbox}/portal/errands/{errand.portal_errand}"
    posted = await errand.send("POST", f"{portal}/document")
    errand.outputs["application.pdf"] = await errand.download(f"{portal}/application")
    page = await errand.browser.open(text(posted, "url"))
    page = await errand.browser.submit(page, button="authorise")
    code = page.marked.get("comparison-code", "").replace(" ", "")
    if not code:
        raise ErrandFailed(page.marked.get("error-code") or "no_identification_code", _first_words(page))
    approval = await _approval_on_phone(errand, code)
    if errand.tamper == "revoked-signer":
        await errand.send("POST", f"{errand.at.sandbox}/holders/{errand.citizen.id}/revoke")
        await errand.press(f"{errand.at.sandbox}/iam-smart/phone/{approval}", {"decision": "approve"})
    errand.facts["identification_code"] = code
    await _wait_until_signed(errand, text(posted, "transaction"))
    await _expect_acknowledgement(errand, approval)
    return await errand.download(f"{portal}/document")


async def restore_signer(errand: Errand) -> None:
    """Give the citizen a new certificate after a revocation, and let the phone approve by itself again."""
    if errand.tamper == "revoked-signer":
        await errand.send("POST", f"{errand.at.sandbox}/holders/{errand.citizen.id}/renew")
        await errand.send("PUT", f"{errand.at.sandbox}/config", {"mode": "automatic"})


async def _approval_on_phone(errand: Errand, code: str) -> str:
    """Find the request on the phone that shows the same code; return its id.

    Raises:
        ErrandFailed: the phone shows another code: somebody else's request.
    """
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        phone = await errand.get(f"{errand.at.sandbox}/iam-smart/phone")
        approvals = phone["approvals"]
        for approval in approvals if isinstance(approvals, list) else []:
            if approval["kind"] == "signing" and approval["persona"] == errand.citizen.id:
                if approval["identification_code"] != code:
                    raise ErrandFailed("identification_code_differs", "the phone shows another code than the page")
                return str(approval["id"])
        await asyncio.sleep(POLL_S)
    raise ErrandFailed("no_signing_request", "nothing arrived on the phone")


async def _wait_until_signed(errand: Errand, transaction: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    status = f"{errand.at.sandbox}/portal/errands/{errand.portal_errand}/signing"
    while time.monotonic() < deadline:
        found = await errand.get(status)
        if found["status"] == "signed":
            return
        error = found.get("error")
        if isinstance(error, dict):
            raise ErrandFailed(str(error["code"]), str(error["detail"]))
        await asyncio.sleep(POLL_S)
    raise ErrandFailed("signing_timed_out", f"transaction {transaction} is still waiting")


async def _expect_acknowledgement(errand: Errand, approval: str) -> None:
    """The upstream must have been told that its signature was accepted (SR001)."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        phone = await errand.get(f"{errand.at.sandbox}/iam-smart/phone")
        approvals = phone["approvals"]
        for found in approvals if isinstance(approvals, list) else []:
            if found["id"] == approval and found["acknowledged"] is not None:
                if found["acknowledged"] != "SR001":
                    raise ErrandFailed("signature_rejected", f"iAM Smart was told {found['acknowledged']}")
                return
        await asyncio.sleep(POLL_S)
    raise ErrandFailed("signature_not_acknowledged", "iAM Smart was not told that its signature was accepted")


def _first_words(page: Page) -> str:
    return f"{page.status}: {page.marked.get('content', '')[:200]}"
