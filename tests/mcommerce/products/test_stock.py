"""Pieces are held for an order, then leave or come back, and the sums stay right."""

from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction

from eventbus.testing import published_events
from mcommerce.events import (
    ProductStockChanged,
    Shortage,
    StockCommitFailed,
    StockCommitted,
    StockRejected,
    StockReserved,
)
from mcommerce.products.models import Reservation, Stock, StockMovement
from mcommerce.products.services import catalogue, stock
from tests.mcommerce.products.conftest import NOW, left, line, put_on_shelf

pytestmark = [pytest.mark.django_db, pytest.mark.postgresql]


def test_an_order_has_its_pieces_held() -> None:
    vase, horse = put_on_shelf("Vase", pieces=5), put_on_shelf("Horse", pieces=2)
    order = uuid4()

    for _again in range(2):
        stock.reserve_stock(order_id=order, lines=[line(horse, 2), line(vase, 3)], now=NOW)

    assert (left(vase), left(horse)) == ((5, 3, 0), (2, 2, 0))
    assert [one.order_id for one in published_events(StockReserved)] == [order], "asked for twice, held once"
    assert {one.product_id: one.quantity for one in published_events(StockReserved)[0].lines} == {
        vase.id: 3,
        horse.id: 2,
    }
    assert {one.product_id: one.available for one in published_events(ProductStockChanged)} == {vase.id: 2, horse.id: 0}


def test_an_order_that_cannot_have_everything_has_nothing_held() -> None:
    vase, horse = put_on_shelf("Vase", pieces=5), put_on_shelf("Horse", pieces=2)
    order = uuid4()

    stock.reserve_stock(order_id=order, lines=[line(vase, 5), line(horse, 3)], now=NOW)

    assert (left(vase), left(horse)) == ((5, 0, 0), (2, 0, 0))
    assert published_events(StockRejected) == [
        StockRejected(
            order_id=order,
            shortages=(Shortage(product_id=horse.id, wanted=3, available=2, reason="sold_out"),),
        )
    ]
    assert not published_events(StockReserved)
    assert not StockMovement.objects.filter(order_id=order).exists()


def test_each_shortage_says_why_and_how_many_can_be_had() -> None:
    sold_out, withdrawn = put_on_shelf("Vase", pieces=2), put_on_shelf("Horse", pieces=9)
    catalogue.withdraw_product(product_id=withdrawn.id, now=NOW)
    never = put_on_shelf("Clock")
    never.id = uuid4()

    lines = [line(it, 3) for it in (sold_out, withdrawn, never, sold_out)]  # named twice, it needs the sum
    stock.reserve_stock(order_id=uuid4(), lines=lines, now=NOW)

    shortages = published_events(StockRejected)[0].shortages
    told = {short.product_id: (short.reason, short.wanted, short.available) for short in shortages}
    assert told == {sold_out.id: ("sold_out", 6, 2), withdrawn.id: ("withdrawn", 3, 0), never.id: ("unknown", 3, 0)}


def test_a_rejected_order_stays_rejected_when_pieces_come() -> None:
    vase, order = put_on_shelf(), uuid4()
    stock.reserve_stock(order_id=order, lines=[line(vase, 1)], now=NOW)

    stock.receive_stock(product_id=vase.id, quantity=5, now=NOW)
    stock.reserve_stock(order_id=order, lines=[line(vase, 1)], now=NOW)

    assert left(vase) == (5, 0, 0)
    assert not published_events(StockReserved)


def test_what_is_paid_leaves_the_stock_once() -> None:
    vase, order = put_on_shelf(pieces=5), uuid4()
    stock.reserve_stock(order_id=order, lines=[line(vase, 2)], now=NOW)

    for _again in range(2):
        stock.commit_stock(order_id=order, lines=[line(vase, 2)], now=NOW)

    assert left(vase) == (3, 0, 2)
    assert published_events(StockCommitted) == [StockCommitted(order_id=order, lines=(line(vase, 2),))]
    assert not published_events(StockCommitFailed)


def test_cancelling_after_the_pieces_were_sold_puts_them_back_on_the_shelf_once() -> None:
    vase, horse, order = put_on_shelf("Vase", pieces=5), put_on_shelf("Horse", pieces=1), uuid4()
    stock.reserve_stock(order_id=order, lines=[line(vase, 2), line(horse, 1)], now=NOW)
    stock.commit_stock(order_id=order, now=NOW)

    for _again in range(2):
        stock.release_stock(order_id=order, now=NOW)

    assert (left(vase), left(horse)) == ((5, 0, 0), (1, 0, 0))
    assert Reservation.objects.get().status == Reservation.Status.RETURNED
    returned = StockMovement.objects.filter(kind=StockMovement.Kind.RETURNED, order_id=order)
    assert set(returned.values_list("product_id", "quantity")) == {(vase.id, 2), (horse.id, 1)}
    told = {one.product_id: one.available for one in published_events(ProductStockChanged)}
    assert told == {vase.id: 5, horse.id: 1}, "the last of each"


def test_pieces_that_came_back_are_sold_to_somebody_else() -> None:
    vase, order, another = put_on_shelf(pieces=2), uuid4(), uuid4()
    stock.reserve_stock(order_id=order, lines=[line(vase, 2)], now=NOW)
    stock.commit_stock(order_id=order, now=NOW)
    stock.release_stock(order_id=order, now=NOW)

    stock.reserve_stock(order_id=another, lines=[line(vase, 2)], now=NOW)
    stock.commit_stock(order_id=order, lines=[line(vase, 2)], now=NOW)

    assert left(vase) == (2, 2, 0), "a payment told again takes nothing any more"
    assert not published_events(StockCommitFailed)


@pytest.mark.parametrize("ending", [stock.release_stock, stock.commit_stock])
def test_an_end_before_the_beginning_holds_nothing_ever(ending) -> None:  # type: ignore[no-untyped-def]
    vase, order = put_on_shelf(pieces=5), uuid4()

    ending(order_id=order, now=NOW)
    stock.reserve_stock(order_id=order, lines=[line(vase, 2)], now=NOW)

    assert left(vase) == (5, 0, 0)
    assert Reservation.objects.get().status == Reservation.Status.RELEASED


def test_what_is_held_cannot_be_written_off() -> None:
    vase = put_on_shelf(pieces=5)
    stock.reserve_stock(order_id=uuid4(), lines=[line(vase, 3)], now=NOW)

    with pytest.raises(stock.NotEnoughThere):
        stock.write_off_stock(product_id=vase.id, quantity=3, now=NOW)
    stock.write_off_stock(product_id=vase.id, quantity=2, now=NOW, note="fell")

    assert left(vase) == (3, 3, 0)
    assert StockMovement.objects.latest("id").note == "fell"


def test_the_movements_add_up_to_the_stock() -> None:
    vase = put_on_shelf(pieces=9)
    orders = [uuid4() for _ in range(3)]
    for order in orders:
        stock.reserve_stock(order_id=order, lines=[line(vase, 2)], now=NOW)
    stock.commit_stock(order_id=orders[0], now=NOW)
    stock.release_stock(order_id=orders[1], now=NOW)
    stock.commit_stock(order_id=orders[2], now=NOW)
    stock.release_stock(order_id=orders[2], now=NOW)
    stock.write_off_stock(product_id=vase.id, quantity=1, now=NOW)

    moved = dict.fromkeys(StockMovement.Kind, 0)
    for movement in StockMovement.objects.all():
        moved[StockMovement.Kind(movement.kind)] += movement.quantity
    kinds = StockMovement.Kind

    sold = moved[kinds.SOLD] - moved[kinds.RETURNED]
    on_hand = moved[kinds.RECEIVED] - sold - moved[kinds.LOST]
    held = moved[kinds.HELD] - moved[kinds.RELEASED] - moved[kinds.SOLD]
    assert left(vase) == (on_hand, held, sold) == (6, 0, 2)


def test_every_change_of_the_stock_has_the_next_version() -> None:
    vase, order, given_up = put_on_shelf(pieces=5), uuid4(), uuid4()
    stock.reserve_stock(order_id=order, lines=[line(vase, 2)], now=NOW)
    stock.commit_stock(order_id=order, now=NOW)
    stock.take_back_stock(order_id=order, now=NOW)
    stock.reserve_stock(order_id=given_up, lines=[line(vase, 1)], now=NOW)
    stock.release_stock(order_id=given_up, now=NOW)
    stock.write_off_stock(product_id=vase.id, quantity=3, now=NOW)

    told = [(one.version, one.available) for one in published_events(ProductStockChanged)]
    assert told == [(0, 0), (1, 5), (2, 3), (3, 3), (4, 5), (5, 4), (6, 5), (7, 2)]


@pytest.mark.parametrize("wrong", [{"held": 6}, {"on_hand": 6}, {"received": 4}, {"sold": 1}])
def test_the_database_refuses_sums_that_do_not_add_up(wrong: dict[str, int]) -> None:
    vase = put_on_shelf(pieces=5)

    with pytest.raises(IntegrityError), transaction.atomic():
        Stock.objects.filter(product=vase).update(**wrong)


@pytest.mark.parametrize("quantities", [[], [0], [2, -1]])
def test_an_order_of_nothing_and_a_product_that_is_not_there_are_refused(quantities: list[int]) -> None:
    vase = put_on_shelf(pieces=5)

    with pytest.raises(stock.NothingAsked):
        stock.reserve_stock(order_id=uuid4(), lines=[line(vase, quantity) for quantity in quantities], now=NOW)
    with pytest.raises(Stock.DoesNotExist):
        stock.receive_stock(product_id=uuid4(), quantity=1, now=NOW)

    assert left(vase) == (5, 0, 0)
    assert not Reservation.objects.exists()


def test_what_is_cancelled_is_free_again_once_and_paying_it_then_fails_aloud() -> None:
    vase, order = put_on_shelf(pieces=5), uuid4()
    stock.reserve_stock(order_id=order, lines=[line(vase, 2)], now=NOW)

    for _again in range(2):
        stock.release_stock(order_id=order, now=NOW)
    assert [one.available for one in published_events(ProductStockChanged)][-2:] == [3, 5]

    stock.commit_stock(order_id=order, lines=[line(vase, 2)], now=NOW)
    stock.release_stock(order_id=order, now=NOW)

    assert published_events(StockCommitFailed) == [StockCommitFailed(order_id=order, lines=(line(vase, 2),))]
    assert left(vase) == (5, 0, 0)
    assert not StockMovement.objects.filter(kind=StockMovement.Kind.RETURNED).exists()


def test_pieces_that_come_back_are_on_the_shelf_once_with_a_movement_and_only_if_they_were_sold() -> None:
    vase, order = put_on_shelf(pieces=5), uuid4()
    stock.reserve_stock(order_id=order, lines=[line(vase, 2)], now=NOW)
    for never_sold in (order, uuid4()):
        stock.take_back_stock(order_id=never_sold, now=NOW)
    assert left(vase) == (5, 2, 0)
    stock.commit_stock(order_id=order, now=NOW)

    for _time in range(2):
        stock.take_back_stock(order_id=order, now=NOW)

    assert left(vase) == (5, 0, 0)
    back = StockMovement.objects.get(kind=StockMovement.Kind.RETURNED)
    assert (back.product_id, back.quantity, back.order_id) == (vase.id, 2, order)
    assert published_events(ProductStockChanged)[-1].available == 5
