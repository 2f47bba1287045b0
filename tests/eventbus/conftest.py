from collections.abc import Iterator

import pytest
from django.utils import translation

from tests.eventbus.house import House, open_house

CONTRACT = (
    "brake",
    "delivery",
    "housekeeping",
    "imbalance",
    "leases",
    "ledger",
    "once",
    "order",
    "parking",
    "prune",
    "replay",
    "replay_runs",
    "world",
)

# They tell what they saw.
pytest.register_assert_rewrite("tests.eventbus.busy", *(f"tests.eventbus.contract_{theme}" for theme in CONTRACT))


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
