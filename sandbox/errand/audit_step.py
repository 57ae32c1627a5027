"""Step 7: the audit log of the whole errand, verified by the service and once more by the errand itself.

The second verification is written here from the documented form (docs/walks.md), so that it does not share the service's code.
"""

import hashlib
import json

from sandbox.errand.context import Errand, StepResult
from sandbox.errors import ErrandFailed

GENESIS = "0" * 64
PAGE = 5_000
EXPECTED = ("login", "permit", "token", "signing")
"""Every errand leaves events whose names begin with these words."""


async def verify_audit(errand: Errand) -> StepResult:
    """Verify the chain; the errand's own events must be in it.

    Raises:
        ErrandFailed: `audit_chain_broken`, or `audit_incomplete`.
    """
    management = errand.at.management
    verdict = await errand.get(f"{management}/audit/verify")
    entries = await _all_entries(errand)
    head = recompute(entries)
    if len(entries) < int(str(verdict["entries"])) or (len(entries) == verdict["entries"] and head != verdict["head"]):
        raise ErrandFailed("audit_chain_broken", "the service's head is not the one recomputed from its entries")
    names = {str(entry["event"]).split(".")[0] for entry in entries}
    missing = [name for name in EXPECTED if name not in names]
    if missing:
        raise ErrandFailed("audit_incomplete", f"no event of {', '.join(missing)} in the audit log")
    errand.facts["audit"] = {"entries": len(entries), "head": head, "checkpoints": verdict["checkpoints"]}
    proven = f"{len(entries)} events form one unbroken chain, recomputed independently"
    return StepResult(7, "audit", proven, f"audit log, head {head[:16]}…")


def recompute(entries: list[dict[str, object]]) -> str:
    """Return the head hash of exported entries.

    Raises:
        ErrandFailed: `audit_chain_broken` at the first entry that does not follow.
    """
    head = GENESIS
    for number, entry in enumerate(entries, 1):
        hashed = {name: value for name, value in entry.items() if name not in ("hash", "at")}
        canonical = json.dumps(hashed, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        if entry["seq"] != number or entry["prev"] != head or hashlib.sha256(canonical).hexdigest() != entry["hash"]:
            raise ErrandFailed("audit_chain_broken", f"audit entry {number} does not follow")
        head = str(entry["hash"])
    return head


async def _all_entries(errand: Errand) -> list[dict[str, object]]:
    entries: list[dict[str, object]] = []
    while True:
        page = await errand.get(f"{errand.at.management}/audit/entries?after={len(entries)}&limit={PAGE}")
        found = page["entries"]
        if not isinstance(found, list) or not found:
            return entries
        entries.extend(found)
