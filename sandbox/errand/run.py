"""The order of the errand, and what is said of it.

Owns:    `run_errand` (all steps, or up to the refusal), the summary, the files of `--out`. Leaves each step to its module.
Rules:   1 a step that is refused ends the errand; its code is the refuser's
         2 an injected fault that does not end in one of its codes is itself a failure: `tamper_not_noticed`
         3 faults are taken away afterwards, whatever happened
"""

import json
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from sandbox.errand.audit_step import verify_audit
from sandbox.errand.browser import Browser
from sandbox.errand.context import TIMEOUT_S, Addresses, Errand, StepResult
from sandbox.errand.judge_step import judge_document
from sandbox.errand.list_step import publish_list, restore_lists
from sandbox.errand.login_step import finish_login, start_login
from sandbox.errand.permit_step import show_permit
from sandbox.errand.sign_step import restore_signer, sign_document
from sandbox.errand.tampers import Tamper, find_tamper
from sandbox.errors import ErrandFailed


@dataclass(slots=True)
class Summary:
    """How an errand ended."""

    ok: bool = False
    steps: list[StepResult] = field(default_factory=list)
    error_code: str | None = None
    error_detail: str | None = None
    error_step: int | None = None
    step_ends: list[float] = field(default_factory=list)
    """Seconds from the start to each step's end."""
    seconds: float = 0.0
    tamper: str | None = None
    facts: dict[str, object] = field(default_factory=dict)
    outputs: dict[str, bytes] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        """Return the machine summary."""
        error = None
        if self.error_code is not None:
            error = {"code": self.error_code, "detail": self.error_detail, "step": self.error_step}
        return {
            "ok": self.ok,
            "seconds": round(self.seconds, 2),
            "tamper": self.tamper,
            "error": error,
            "steps": [
                {
                    "step": step.number,
                    "title": step.title,
                    "proven": step.proven,
                    "document": step.document,
                    "ended_s": round(ended, 2),
                }
                for step, ended in zip(self.steps, self.step_ends, strict=True)
            ],
            "facts": self.facts,
        }


async def run_errand(
    addresses: Addresses, *, tamper: str | None, say: Callable[[StepResult], None], work: Path | None = None
) -> Summary:
    """Do the errand once; `say` gets each line as it is proven."""
    fault = None if tamper is None else find_tamper(tamper)
    summary = Summary(tamper=tamper)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="gba-errand-", dir=work) as folder:
        async with _errand(addresses, tamper, Path(folder)) as errand:

            def done(step: StepResult) -> None:
                summary.steps.append(step)
                summary.step_ends.append(time.monotonic() - started)
                say(step)

            try:
                await _steps(errand, done)
                summary.ok = True
            except ErrandFailed as refusal:
                _note_refusal(summary, refusal, fault)
            except (
                LookupError,
                TimeoutError,
            ) as missing:  # a page without the expected form, or one that never stopped waiting
                _note_refusal(summary, ErrandFailed("unexpected_page", str(missing)), fault)
            finally:
                await restore_lists(errand)
                await restore_signer(errand)
            summary.facts, summary.outputs = errand.facts, errand.outputs
    if summary.ok and fault is not None:
        _note_refusal(summary, ErrandFailed("none", "every step went through"), fault)
    summary.seconds = time.monotonic() - started
    return summary


async def _steps(errand: Errand, done: Callable[[StepResult], None]) -> None:
    done(await publish_list(errand))
    login_line, permit_page = await start_login(errand)
    done(login_line)
    permit_line, onward = await show_permit(errand, permit_page)
    done(permit_line)
    done(await finish_login(errand, onward))
    done(await sign_document(errand))
    done(await judge_document(errand))
    done(await verify_audit(errand))


def _note_refusal(summary: Summary, refusal: ErrandFailed, fault: Tamper | None) -> None:
    summary.ok = False
    summary.error_step = len(summary.steps) + 1
    summary.error_code, summary.error_detail = refusal.code, str(refusal)
    if fault is not None and refusal.code not in fault.codes:
        summary.error_code = "tamper_not_noticed"
        summary.error_detail = f"{fault.name} should end in {' or '.join(fault.codes)}, but: {refusal.code}: {refusal}"


@asynccontextmanager
async def _errand(addresses: Addresses, tamper: str | None, work: Path) -> AsyncIterator[Errand]:
    limits = httpx.Timeout(TIMEOUT_S)
    async with (
        httpx.AsyncClient(timeout=limits, trust_env=False) as web,
        httpx.AsyncClient(timeout=limits, trust_env=False, headers={"Accept": "text/html"}) as browsing,
    ):
        yield Errand(at=addresses, web=web, browser=Browser(browsing), tamper=tamper, work=work)


def write_outputs(summary: Summary, folder: Path) -> list[Path]:
    """Write the errand's documents and its summary; return the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {**summary.outputs, "summary.json": json.dumps(summary.as_json(), indent=1, ensure_ascii=False).encode()}
    paths = []
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        paths.append(path)
    return paths
