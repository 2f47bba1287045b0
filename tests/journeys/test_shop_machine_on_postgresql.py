"""A few random days on PostgreSQL: test_shop_machine.py has many more, and all the faults, but runs on SQLite alone.

What keeps the shop from selling twice is a guarded UPDATE and a CHECK, so a shop without them must be found out here.
"""

import pytest
from django.db import connection

from tests.journeys.machine.environment import Floor, floor
from tests.journeys.machine.faults import FAULTS, unguarded_stock
from tests.journeys.machine.random_days import FINDING, walk, walk_and_count

__all__ = ["floor"]  # a fixture

pytestmark = pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has more days, and all the faults")

DAYS = 7  # two seconds of processor time each
DAYS_SEARCHED_MAX = 75  # as on SQLite; by sixteen seeds, a stock without its guards is found within ten


def test_whatever_happens_on_postgresql_the_shop_keeps_its_promises(floor: Floor) -> None:
    walk_and_count(floor, days=DAYS)


def test_a_stock_without_its_guards_is_found_out_on_postgresql(floor: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    with unguarded_stock(monkeypatch), pytest.raises(AssertionError, match=f"^{FAULTS[unguarded_stock]}: "):
        walk(floor, days=DAYS_SEARCHED_MAX, phases=FINDING)
