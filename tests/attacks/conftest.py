"""The provider that the attacks on it share; a file that needs another has its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.idp import Client, Provider, provider_in


@pytest.fixture
async def provider(tmp_path: Path) -> AsyncIterator[Provider]:
    async with provider_in(tmp_path) as made:
        yield made


@pytest.fixture
async def client(provider: Provider) -> Client:
    return await provider.register(Client())
