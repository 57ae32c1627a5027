"""One served provider for the tests of a file; each test registers a relying party of its own."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.idp.foreign.chromium import chromium_page
from tests.support.served_provider import ServedProvider, served_in


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedProvider]:
    with served_in(tmp_path_factory.mktemp("served")) as made:
        yield made


@pytest.fixture
def page() -> Iterator[Any]:
    with chromium_page() as made:
        yield made
