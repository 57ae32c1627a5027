"""Figures of the errand: starts, the errand itself, memory. Prints them; asserts nothing.

    .venv/bin/python -m bench.errand [--runs 5] [--fresh]

`--fresh` also times a set-up from nothing in a temporary clone (downloads every package).
"""

import argparse
import asyncio
import json
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from sandbox.errand.run import run_errand
from sandbox.setup import free_ports, running_pair

ROOT = Path(__file__).resolve().parents[1]


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def rss_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0


def measure_errands(runs: int) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder:
        port, sandbox_port = free_ports()
        started = time.perf_counter()
        with running_pair(Path(folder) / "data", port=port, sandbox_port=sandbox_port):
            first_start = time.perf_counter() - started
        started = time.perf_counter()
        with running_pair(Path(folder) / "data", port=port, sandbox_port=sandbox_port) as pair:
            httpx.get(f"{pair.addresses.sandbox}/portal").raise_for_status()
            second_start = time.perf_counter() - started
            pids = {child.name: child.process.pid for child in pair.processes.children}
            before = {name: cpu_seconds(pid) for name, pid in pids.items()}
            seconds, permit_cpu = [], []
            for _ in range(runs):
                ends: list[float] = []
                summary = asyncio.run(
                    run_errand(
                        pair.addresses,
                        tamper=None,
                        say=lambda step, ends=ends: ends.append(cpu_seconds(pids["service"])),
                    )
                )
                if not summary.ok:
                    raise SystemExit(f"the errand failed: {summary.error_code}: {summary.error_detail}")
                seconds.append(summary.seconds)
                permit_cpu.append(ends[2] - ends[1])
            cpu = {name: (cpu_seconds(pid) - before[name]) / runs for name, pid in pids.items()}
            memory = {name: rss_mb(pid) for name, pid in pids.items()}
    return {
        "first start (keys, certificates, database), s": round(first_start, 2),
        "second start to the first page, s": round(second_start, 2),
        "errand, s (median of runs)": round(statistics.median(seconds), 2),
        "permit and liveness step, CPU-s of the service (median)": round(statistics.median(permit_cpu), 2),
        "CPU-s an errand": {name: round(value, 2) for name, value in cpu.items()},
        "memory after the errands, MB": {name: round(value) for name, value in memory.items()},
    }


def memory_without_liveness() -> float:
    with tempfile.TemporaryDirectory() as folder:
        port, sandbox_port = free_ports()
        with running_pair(
            Path(folder) / "data", port=port, sandbox_port=sandbox_port, parts="idp,signing,trust-lists"
        ) as pair:
            child = next(child for child in pair.processes.children if child.name == "service")
            httpx.get(f"{pair.addresses.service}/.well-known/openid-configuration").raise_for_status()
            return round(rss_mb(child.process.pid))


def fresh_setup() -> float:
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "clone"
        subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
        started = time.perf_counter()
        subprocess.run(["./run", "--once"], cwd=clone, check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - started
        shutil.rmtree(clone)
        return round(seconds, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--fresh", action="store_true")
    options = parser.parse_args()
    figures = {"machine": f"{platform.machine()}, Python {platform.python_version()}", **measure_errands(options.runs)}
    figures["memory of the service without liveness, MB"] = memory_without_liveness()
    if options.fresh:
        figures["fresh set-up and errand, s"] = fresh_setup()
    json.dump(figures, sys.stdout, indent=1, ensure_ascii=False)
    print()


if __name__ == "__main__":
    main()
