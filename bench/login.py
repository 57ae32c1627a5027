"""Complete logins: our provider beside node-oidc-provider, in one run, alternating, one pinned core each.

    .venv/bin/python -m bench.login [--rounds 5] [--seconds 4] [--store sqlite] [--fill 10000,1000000] [--json]

Core 0 serves, core 1 drives (Redis, where there is one, runs beside the driver). 16 browsers at once, none with a cookie; each login is
authorize (PKCE S256), sign-in, consent, code, /token with private_key_jwt (ES256), /userinfo, checked to its end: state, iss, claims,
every 16th ID token's signature. The comparable figure is CPU-ms a login from /proc/PID/stat, the server's and its database's apart.
Ours in two shapes: `returning` (consent on record, 4 requests of ours and the upstream's visit) and `first` (a new person, the rendered
consent page and its form: 6 requests). The peer: /auth, /interaction (automatic login and consent), /auth/{uid}, /token, /me.
`--fill` measures ours alone instead, beside as many persons, sessions, consents and grants as it names, each in a data folder of its own.
"""

import argparse
import json
import os
import platform
import shutil
import ssl
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.login_fill import fill
from bench.login_targets import DRIVER_CORE, CannotBeHad, Target, client_key, install_peers, start_ours, start_peer

CONCURRENCY = 16
Figures = dict[str, Any]


def machine() -> str:
    cpu = next(
        line.split(":", 1)[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    )
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    load = " ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{platform.machine()}, {os.cpu_count()} cores ({cpu}), Linux {platform.release()}, Python {platform.python_version()}, "
        f"{ssl.OPENSSL_VERSION}, node {node}, load before {load}"
    )


def start_all(folder: Path, store: str, only: set[str]) -> tuple[list[Target], list[str]]:
    """Start every target that can be had; return those, and why others are missing."""
    targets, missing = [], []
    wanted = {
        "ours": lambda: start_ours(folder / "ours", store=store),
        "memory": lambda: start_peer(folder / "memory", "memory"),
        "redis": lambda: start_peer(folder / "redis", "redis"),
    }
    for name, start in wanted.items():
        if only and name not in only:
            continue
        try:
            targets.append(start())
        except CannotBeHad as reason:
            missing.append(f"{name}: {reason}")
    return targets, missing


def start_filled(folder: Path, sizes: str) -> list[Target]:
    """Start our provider once for each number of persons, and fill its database."""
    targets = []
    for size in (int(text) for text in sizes.split(",")):
        target = start_ours(folder / str(size), name=f"ours beside {size:,} persons")
        targets.append(target)
        fill(folder / str(size) / "data" / "service.db", size)
    return targets


def alternate(targets: list[Target], rounds: int, seconds: float) -> dict[str, Figures]:
    """Measure each target and shape in turn, round after round; return the medians."""
    taken: dict[str, list[Figures]] = {}
    for number in range(rounds):
        for target in targets:
            for shape in target.shapes:
                name = target.name if shape == "peer" else f"{target.name}, {shape}"
                figures = target.drive(shape, concurrency=CONCURRENCY, warm_s=1.5, measure_s=seconds)
                taken.setdefault(name, []).append(figures)
                cpu = ", ".join(f"{process} {ms:.2f}" for process, ms in figures["cpu_ms"].items())
                print(f"round {number + 1}  {name}: {figures['logins_per_s']:.0f}/s, CPU-ms {cpu}", file=sys.stderr)
    return {name: median_of(figures) for name, figures in taken.items()}


def median_of(rounds: list[Figures]) -> Figures:
    """Return the median of every number over the rounds."""

    def walk(values: list[Any]) -> Any:  # noqa: ANN401 - JSON
        if isinstance(values[0], dict):
            return {name: walk([value[name] for value in values]) for name in values[0]}
        return round(statistics.median(values), 3)

    kept = [{key: value for key, value in one.items() if key not in ("errors", "messages")} for one in rounds]
    median: Figures = walk(kept)
    cpu = [sum(one["cpu_ms"].values()) for one in rounds]
    return {**median, "rounds": len(rounds), "cpu_ms_spread": [round(min(cpu), 2), round(max(cpu), 2)]}


def half_load(targets: list[Target], medians: dict[str, Figures], seconds: float) -> dict[str, Figures]:
    """Offer half of what saturates, open loop with Poisson arrivals; return /token's times."""
    found = {}
    for target in targets:
        shape = target.shapes[0]
        name = target.name if shape == "peer" else f"{target.name}, {shape}"
        rate = medians[name]["logins_per_s"] / 2
        figures = target.drive(shape, rate=rate, concurrency=0, warm_s=1.5, measure_s=max(seconds, 5))
        found[name] = {"offered_logins_per_s": round(rate), "token_ms": figures["steps"]["token"]}
    return found


def documents(targets: list[Target], seconds: float) -> dict[str, Figures]:
    """Ask for the two public documents with wrk, which costs the driver's core least."""
    if shutil.which("wrk") is None:
        return {}
    found: dict[str, Figures] = {}
    for target in targets:
        for path in target.static:
            before = cpu_seconds(target.processes["server"].pid)
            command = ["wrk", "-t1", "-c16", f"-d{max(1, round(seconds))}s", f"{target.base}{path}"]
            out = subprocess.run(
                ["taskset", "-c", str(DRIVER_CORE), *command], capture_output=True, text=True, check=True
            ).stdout
            spent = cpu_seconds(target.processes["server"].pid) - before
            requests = int(next(line for line in out.splitlines() if " requests in " in line).split()[0])
            rate = float(next(line for line in out.splitlines() if line.startswith("Requests/sec")).split()[1])
            found[f"{target.name}, {path}"] = {"per_s": round(rate), "cpu_us": round(spent / requests * 1e6, 1)}
    return found


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def ratios(medians: dict[str, Figures]) -> dict[str, float]:
    """Return how many of our logins the CPU of one of theirs pays for: server alone, and with the databases."""
    found = {}
    for ours in (name for name in medians if name.startswith("ours")):
        for peer in (name for name in medians if name.startswith("oidc-provider")):
            mine, theirs = medians[ours]["cpu_ms"], medians[peer]["cpu_ms"]
            found[f"{peer} / {ours}: server"] = round(theirs["server"] / mine["server"], 2)
            if len(mine) > 1 or len(theirs) > 1:
                found[f"{peer} / {ours}: with database"] = round(sum(theirs.values()) / sum(mine.values()), 2)
    return found


def show(report: Figures) -> None:
    print(report["machine"])
    for reason in report["missing"]:
        print(f"left out: {reason}")
    print(f"\n{'':38}{'logins/s':>9}{'CPU-ms':>18}{'busy':>6}{'p50':>8}{'p99':>8}   steps p50/p99, ms")
    for name, row in report["logins"].items():
        cpu = " + ".join(f"{ms:.2f}" for ms in row["cpu_ms"].values())
        steps = "  ".join(
            f"{step} {ms['p50']:.1f}/{ms['p99']:.1f}" for step, ms in row["steps"].items() if step != "login"
        )
        whole = row["steps"]["login"]
        print(
            f"{name:38}{row['logins_per_s']:9.0f}{cpu:>18}{row['busy']['server']:6.0%}{whole['p50']:8.1f}{whole['p99']:8.1f}   {steps}"
        )
    for title in ("ratios", "half_load", "documents"):
        if report[title]:
            print(f"\n{title.replace('_', ' ')}")
            for name, value in report[title].items():
                print(f"  {name}: {value}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--store", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--only", default="", help="of ours, memory, redis")
    parser.add_argument("--fill", default="", help="numbers of persons, for example 10000,1000000,10000000")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    install_peers()
    only = {name for name in options.only.split(",") if name}
    with tempfile.TemporaryDirectory(prefix="bench-login-") as scratch:
        client_key(Path(scratch))
        words = machine()
        if options.fill:
            targets, missing = start_filled(Path(scratch), options.fill), []
        else:
            targets, missing = start_all(Path(scratch), options.store, only)
        half: dict[str, Figures] = {}
        static: dict[str, Figures] = {}
        try:
            medians = alternate(targets, options.rounds, options.seconds)
            if not options.fill:
                half = half_load(targets, medians, options.seconds)
                static = documents(targets, options.seconds)
        finally:
            for target in targets:
                target.stop()
    report = {
        "machine": words, "missing": missing, "logins": medians, "ratios": ratios(medians), "half_load": half, "documents": static,
    }  # fmt: skip
    if options.json:
        json.dump(report, sys.stdout, indent=1)
        print()
    else:
        show(report)


if __name__ == "__main__":
    main()
