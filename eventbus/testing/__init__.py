"""Support for tests of code that uses the bus: settle it, read published events, hold the clock, inject faults.

    def test_a_placed_order_reserves_stock(bus):
        place_order(ORDER)

        settle()

        assert [told.order_id for told in published_events(StockReserved)] == [ORDER]

`sample(OrderPlaced)` makes an event of another module. `settle(event, only=["stock"])` publishes it, and then runs the
handlers of one module alone.
Name its plugin in `conftest.py`, `pytest_plugins = ["eventbus.testing.fixtures"]`, for the fixtures `bus`, `bus_clock`
and `scenario`.
They work with pytest-django's `db` and `transactional_db` alike: everything runs in the test's own thread.
"""

from eventbus.testing.samples import sample
from eventbus.testing.scenario import Scenario
from eventbus.testing.settling import ConnectionDropped, Crash, forget, published_events, settle

__all__ = [
    "ConnectionDropped",
    "Crash",
    "Scenario",
    "forget",
    "published_events",
    "sample",
    "settle",
]
