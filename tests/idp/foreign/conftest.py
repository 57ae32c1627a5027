"""One served provider for the tests of a file; each test registers a relying party of its own."""

from collections.abc import Iterator

import pytest

from tests.support.served_provider import ServedProvider, served_in


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedProvider]:
    with served_in(tmp_path_factory.mktemp("served")) as made:
        yield made
