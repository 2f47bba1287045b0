"""Sixteen shoppers want the last five pieces at the same moment."""

import random
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID, uuid4

import pytest
from django.db import connections

from eventbus.testing import published_events
from mcommerce.events import StockCommitFailed, StockCommitted, StockRejected, StockReserved
from mcommerce.products.models import Reservation, StockMovement
from mcommerce.products.services import stock
from tests.mcommerce.products.conftest import NOW, left, line, put_on_shelf

SHOPPERS = 16
WAIT_SECONDS = 60  # for all of them, on a machine that does other things as well

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgresql]


def all_at_once(calls: Sequence[Callable[[], None]]) -> None:
    """Run every call in a thread and a connection of its own, from one starting shot; errors come out."""
    shot = threading.Barrier(len(calls))

    def run(call: Callable[[], None]) -> None:
        try:
            shot.wait(WAIT_SECONDS)
            call()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as pool:
        for done in [pool.submit(run, call) for call in calls]:
            done.result(WAIT_SECONDS)


def test_five_pieces_are_sold_to_five_of_sixteen_shoppers() -> None:
    vase = put_on_shelf(pieces=5)
    orders = [uuid4() for _ in range(SHOPPERS)]

    all_at_once(
        [lambda order=order: stock.reserve_stock(order_id=order, lines=[line(vase, 1)], now=NOW) for order in orders]
    )

    assert left(vase) == (5, 5, 0)
    assert len(published_events(StockReserved)) == 5
    assert len(published_events(StockRejected)) == SHOPPERS - 5


def test_orders_of_the_same_things_in_any_order_never_wait_in_a_circle() -> None:
    things = [put_on_shelf(f"Thing {number}", pieces=5) for number in range(6)]
    baskets = [random.Random(number).sample(things, 6) for number in range(SHOPPERS)]

    all_at_once(
        [
            lambda basket=basket: stock.reserve_stock(order_id=uuid4(), lines=[line(it, 1) for it in basket], now=NOW)
            for basket in baskets
        ]
    )

    assert [left(it) for it in things] == [(5, 5, 0)] * 6


def test_the_same_order_asked_for_side_by_side_is_held_once() -> None:
    vase, order = put_on_shelf(pieces=5), uuid4()

    all_at_once([lambda: stock.reserve_stock(order_id=order, lines=[line(vase, 1)], now=NOW)] * SHOPPERS)

    assert left(vase) == (5, 1, 0)
    assert len(published_events(StockReserved)) == 1


def test_paying_and_cancelling_at_once_leaves_every_piece_on_the_shelf() -> None:
    vase = put_on_shelf(pieces=SHOPPERS)
    orders = [uuid4() for _ in range(SHOPPERS // 2)]
    for order in orders:
        stock.reserve_stock(order_id=order, lines=[line(vase, 1)], now=NOW)

    all_at_once([end for order in orders for end in both_ends(order)])

    returned = Reservation.objects.filter(status=Reservation.Status.RETURNED).count()
    assert left(vase) == (SHOPPERS, 0, 0)
    assert len(published_events(StockCommitted)) == returned
    assert len(published_events(StockCommitFailed)) == len(orders) - returned
    assert StockMovement.objects.filter(kind=StockMovement.Kind.RETURNED).count() == returned


def test_a_paid_order_cancelled_many_times_at_once_comes_back_once() -> None:
    vase, order = put_on_shelf(pieces=5), uuid4()
    stock.reserve_stock(order_id=order, lines=[line(vase, 2)], now=NOW)
    stock.commit_stock(order_id=order, now=NOW)

    all_at_once([lambda: stock.release_stock(order_id=order, now=NOW)] * SHOPPERS)

    assert left(vase) == (5, 0, 0)


def both_ends(order: UUID) -> list[Callable[[], None]]:
    return [
        lambda: stock.commit_stock(order_id=order, now=NOW),
        lambda: stock.release_stock(order_id=order, now=NOW),
    ]
