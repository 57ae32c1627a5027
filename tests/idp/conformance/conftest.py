"""One provider for the modules of every plan: with mutual TLS behind a trusted proxy, as the FAPI plans want it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.fapi_client import mutual_tls
from tests.support.idp import Provider, provider_in


@pytest.fixture
async def provider(tmp_path: Path) -> AsyncIterator[Provider]:
    async with provider_in(tmp_path, **mutual_tls()) as made:
        yield made
