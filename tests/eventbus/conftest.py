from collections.abc import Iterator

import pytest

from tests.eventbus.house import House, open_house


@pytest.fixture
def house(transactional_db: None) -> Iterator[House]:
    """A small house on the bus, with a table of its own."""
    with open_house() as house:
        yield house
