"""One running pair of processes for all errand tests."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.setup import RunningPair, free_ports, running_pair


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[RunningPair]:
    """Service and sandbox, really running."""
    assert models_dir.is_dir()
    port, sandbox_port = free_ports()
    with running_pair(tmp_path_factory.mktemp("pair") / "data", port=port, sandbox_port=sandbox_port) as running:
        yield running
