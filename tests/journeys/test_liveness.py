"""A group that does not move is named by `eventbus status`; where it is not, the tests' own liveness check tells."""

from collections.abc import Iterator

import pytest

from eventbus import clock
from eventbus.testing import forget, settle
from mcommerce.products.services.stock import receive_stock
from tests.journeys.machine.environment import Floor, floor
from tests.journeys.machine.faults import leave_out_products, partition_left_out
from tests.liveness_oracle import STANDS_SECONDS, Liveness, status

__all__ = ["floor"]  # a fixture


@pytest.fixture
def day(floor: Floor) -> Iterator[Floor]:
    with floor.opened():
        yield floor


def pieces_come(floor: Floor) -> Liveness:
    """What is told of it is given so long that a group that moves has heard of it."""
    live = Liveness()
    forget()
    receive_stock(product_id=floor.products[0].id, quantity=1, now=clock.now())
    for _ in range(2):
        settle()
        assert list(live.problems()) == []
        clock.advance(seconds=STANDS_SECONDS / 2 + 1)
    return live


def test_nothing_stands_where_all_is_handled(day: Floor) -> None:
    live = pieces_come(day)

    assert list(live.problems()) == []
    assert "Group orders stands" not in status()[1]


def test_a_group_that_stands_is_named_by_status(day: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    leave_out_products(monkeypatch)

    live = pieces_come(day)

    code, complaint = status()
    assert (code, "Group orders stands" in complaint) == (1, True)
    assert list(live.problems()) == []


def test_a_partition_that_nobody_takes_while_status_says_well_is_told(
    day: Floor, monkeypatch: pytest.MonkeyPatch
) -> None:
    with partition_left_out(monkeypatch):
        live = pieces_come(day)

        [told] = live.problems()

    assert told.startswith("orders does not move: product.stock_changed.v1")


def test_a_group_that_was_paused_may_stand(day: Floor, monkeypatch: pytest.MonkeyPatch) -> None:
    with partition_left_out(monkeypatch):
        live = pieces_come(day)

        assert list(live.problems(paused={"orders"})) == []
