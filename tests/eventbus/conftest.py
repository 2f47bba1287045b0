from collections.abc import Iterator
from pathlib import Path

import pytest
from django.utils import translation

from tests.eventbus.house import House, open_house

# They tell what they saw.
pytest.register_assert_rewrite(
    "tests.eventbus.busy", *(f"tests.eventbus.{path.stem}" for path in Path(__file__).parent.glob("contract_*.py"))
)


@pytest.fixture
def house(transactional_db: None) -> Iterator[House]:
    """A small house on the bus, with a table of its own."""
    with open_house() as house:
        yield house


@pytest.fixture(autouse=True)
def _english() -> Iterator[None]:
    """A page asked for in French leaves its language to the thread: no test begins or ends with another's."""
    with translation.override("en"):
        yield
