"""CPU per audit event, all threads of this process counted. Prints figures; asserts nothing.

.venv/bin/python -m bench.audit [--events 5000] [--tasks 1 16]
"""

import argparse
import asyncio
import json
import resource
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from service.audit_file import create_audit_file
from service.audit_store import AuditLog
from service.key_ring import KeyRing


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def now() -> datetime:
    return datetime.now(UTC)


async def main(events: int, tasks: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "audit.db"
        create_audit_file(path)
        log = AuditLog(path, KeyRing.open(Path(folder) / "keys", b"k" * 32, at=now()), now)
        await log.start()

        async def some(count: int) -> None:
            for number in range(count):
                await log.record(
                    "token.issued",
                    correlation=f"login-{number}",
                    detail={"client": "bank", "grant": "code", "n": number},
                )

        cpu, wall = cpu_seconds(), time.perf_counter()
        await asyncio.gather(*(some(events // tasks) for _ in range(tasks)))
        cpu, wall = cpu_seconds() - cpu, time.perf_counter() - wall
        print(json.dumps({"tasks": tasks, "cpu_us": round(cpu / events * 1e6, 1), "per_second": round(events / wall)}))
        await log.stop()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=5000)
    parser.add_argument("--tasks", type=int, nargs="+", default=[1, 16, 64])
    chosen = parser.parse_args()
    for tasks in chosen.tasks:
        asyncio.run(main(chosen.events, tasks))
