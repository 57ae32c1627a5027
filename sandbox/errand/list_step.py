"""Step 1: the three regions' list is published, and accepted by the service and by a reader of the errand's own.

Owns:    asking the operators, the errand's own reader, the list faults. Leaves acceptance to `trust_lists`.
"""

import asyncio
import time
from contextlib import aclosing

from sandbox.errand.context import Errand, StepResult, text
from sandbox.errors import ErrandFailed
from trust_lists.client import TrustListClient
from trust_lists.clock import utc_now
from trust_lists.errors import TrustListError
from trust_lists.snapshot import Snapshot

FAULT_OF = {"expired-list": "expired", "rolled-back-list": "rolled_back", "one-region-list": "one_region"}
PATIENCE_S = 12.0
POLL_S = 0.1
HK_SERVICE = "hk-rsa"


async def publish_list(errand: Errand) -> StepResult:
    """Let the operators publish; prove that both readers accept it.

    Raises:
        ErrandFailed: with the gate's code.
    """
    sandbox = errand.at.sandbox
    operators = await errand.get(f"{sandbox}/operators")
    if not operators["published"]:
        operators = await errand.send("POST", f"{sandbox}/operators/publish-first")
    if _status_of(operators, HK_SERVICE) != "granted":
        operators = await errand.send(
            "POST", f"{sandbox}/operators/services/{HK_SERVICE}/status", {"status": "granted"}
        )
    async with aclosing(await open_reader(errand)) as reader:
        snapshot = await _accept(reader)
        await wait_for_service(errand, snapshot.version)
        if errand.tamper in FAULT_OF:
            await _inject(errand, reader, FAULT_OF[errand.tamper])
    _keep_list(errand)
    errand.facts["trust_list"] = {"version": snapshot.version, "sha256": snapshot.sha256}
    services = ", ".join(sorted(f"{service.region.value}:{service.id}" for service in snapshot.services))
    proven = f"version {snapshot.version} is signed by 2 of 3 regions and accepted by two readers; it lists {services}"
    return StepResult(1, "trust list", proven, f"trust list {snapshot.version}, sha256 {snapshot.sha256[:16]}…")


async def open_reader(errand: Errand) -> TrustListClient:
    """Return the errand's own reader: the published root, an empty cache."""
    operators = await errand.get(f"{errand.at.sandbox}/operators")
    root = text(operators, "trusted_root").encode()
    errand.root_file.write_bytes(root)
    return TrustListClient(f"{errand.at.sandbox}/trust-list", errand.work / "reader", root, utc_now)


async def wait_for_service(errand: Errand, version: int) -> None:
    """Wait until the service has accepted this version.

    Raises:
        ErrandFailed: with the code by which the service refuses the list.
    """
    deadline = time.monotonic() + PATIENCE_S
    while True:
        status = await errand.get(f"{errand.at.service}/api/v1/trust-list")
        if isinstance(status.get("version"), int) and int(str(status["version"])) >= version:
            return
        if time.monotonic() > deadline:
            code = status.get("last_error_code") or "trust_list_stale"
            raise ErrandFailed(str(code), f"the service has not accepted version {version}")
        await asyncio.sleep(POLL_S)


async def restore_lists(errand: Errand) -> None:
    """Take list faults away."""
    if errand.tamper in FAULT_OF:
        await errand.send("PUT", f"{errand.at.sandbox}/operators/fault", {"fault": None})


async def _inject(errand: Errand, reader: TrustListClient, fault: str) -> None:
    """Serve a bad list; both readers must refuse it with the same code, and that code ends the errand."""
    await errand.send("PUT", f"{errand.at.sandbox}/operators/fault", {"fault": fault})
    try:
        await _accept(reader)
    except ErrandFailed as refusal:
        await _wait_for_service_refusal(errand, refusal.code)
        raise ErrandFailed(refusal.code, f"{refusal}; the service refuses it with the same code") from refusal


async def _wait_for_service_refusal(errand: Errand, code: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        status = await errand.get(f"{errand.at.service}/api/v1/trust-list")
        if status.get("last_error_code") == code:
            return
        await asyncio.sleep(POLL_S)
    raise ErrandFailed("tamper_not_noticed", f"the errand's reader says {code}, the service does not")


async def _accept(reader: TrustListClient) -> Snapshot:
    try:
        return await reader.refresh()
    except TrustListError as refusal:
        raise ErrandFailed(refusal.code, str(refusal)) from refusal


def _keep_list(errand: Errand) -> None:
    """Put the accepted list and its pinned root among the errand's documents."""
    copy = errand.work / "reader"
    for path in copy.rglob("*"):
        if path.is_file() and not path.name.startswith("."):
            errand.outputs[f"trust-list/{path.relative_to(copy)}"] = path.read_bytes()
    errand.outputs["trust-list-root.json"] = errand.root_file.read_bytes()


def _status_of(operators: dict[str, object], service: str) -> str | None:
    services = operators.get("services")
    for row in services if isinstance(services, list) else []:
        if row.get("id") == service:
            return str(row.get("status"))
    return None
