"""One provider for the modules of every plan: with mutual TLS behind a trusted proxy, as the FAPI plans want it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.fapi_client import VARIANTS, FapiClient, mutual_tls
from tests.support.idp import Provider, provider_in


@pytest.fixture
async def provider(tmp_path: Path) -> AsyncIterator[Provider]:
    async with provider_in(tmp_path, **mutual_tls()) as made:
        yield made


@pytest.fixture(params=VARIANTS)
async def rp(request: pytest.FixtureRequest, provider: Provider) -> FapiClient:
    """A FAPI client of every variant."""
    return await provider.register(FapiClient(variant=VARIANTS[request.param]))


@pytest.fixture(params=["private_key_jwt+dpop", "private_key_jwt+mtls", "message signing"])
async def asserting(request: pytest.FixtureRequest, provider: Provider) -> FapiClient:
    """A FAPI client that proves itself by a signed assertion."""
    return await provider.register(FapiClient(variant=VARIANTS[request.param]))


@pytest.fixture(params=["private_key_jwt+dpop", "mtls+dpop", "message signing"])
async def proving(request: pytest.FixtureRequest, provider: Provider) -> FapiClient:
    """A FAPI client whose tokens are bound to a DPoP key."""
    return await provider.register(FapiClient(variant=VARIANTS[request.param]))


@pytest.fixture
async def signing(provider: Provider) -> FapiClient:
    """A FAPI client that signs its requests."""
    return await provider.register(FapiClient("signing-bank", variant=VARIANTS["message signing"]))
