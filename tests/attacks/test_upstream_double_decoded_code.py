"""Attack: a code escaped twice, so that a reader who decodes until it fits redeems somebody else's code."""

import pytest

from idp.errors import UpstreamCodeRefused
from tests.support.iam_smart import STATE, joined


@pytest.fixture
async def wire(tmp_path):
    async with joined(tmp_path) as wire:
        yield wire


async def test_a_code_that_is_escaped_twice_is_another_code(wire):
    query = await wire.arrive()
    assert "%2B" in query  # the simulator's codes always hold a plus sign
    with pytest.raises(UpstreamCodeRefused):
        await wire.connector.exchange("txn-1", query=query.replace("%", "%25"), state=STATE)
    # The real one is still unused.
    assert await wire.connector.exchange("txn-1", query=query, state=STATE)


async def test_a_plus_that_was_never_escaped_stays_a_plus(wire):
    query = (await wire.arrive()).replace("%2B", "+")
    assert await wire.connector.exchange("txn-1", query=query, state=STATE)


async def test_a_second_code_beside_the_first_is_refused(wire):
    from idp.connectors.iam_smart.errors import ReturnMalformed

    query = await wire.arrive()
    with pytest.raises(ReturnMalformed):
        await wire.connector.exchange("txn-1", query=f"code=attackers&{query}", state=STATE)
