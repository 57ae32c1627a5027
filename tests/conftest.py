"""What every test shares: where the models and the shared data lie, and that a skip on CI is one that we expect."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED_DATA = ROOT.parent / "shared" / "data"

EXPECTED_SKIPS = (
    "shared data absent",  # material beside the project, not part of it
    "not installed",  # a foreign judge of the system that could not be installed
)
_unexpected: list[str] = []


@pytest.fixture(scope="session")
def models_dir() -> Path:
    """The folder of the built face models."""
    folder = Path(os.environ.get("GBA_TRUST_MODELS_DIR", ROOT / "models"))
    if not (folder / "manifest.json").exists():
        pytest.skip("face models absent: run `gba-trust models build`")
    return folder


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Note skips that nobody expected."""
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        if not any(expected in reason for expected in EXPECTED_SKIPS):
            _unexpected.append(f"{report.nodeid}: {reason}")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """On CI an unexpected skip fails the run."""
    if os.environ.get("CI") == "true" and _unexpected and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name unexpected skips."""
    for line in _unexpected:
        terminalreporter.write_line(f"unexpected skip: {line}", yellow=True)


def pytest_make_parametrize_id(config: pytest.Config, val: object, argname: str) -> str | None:
    """Name bytes by their argument, not by their content: keys made at run time differ from process to process."""
    return argname if isinstance(val, bytes) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start the longest first: on two workers the errand's modules then run beside everything else, not after it."""
    items.sort(key=lambda item: not item.nodeid.startswith("tests/errand/"))
