"""The stock hears of orders over the bus."""

from uuid import UUID, uuid4

import pytest

from eventbus import Event
from eventbus.testing import published_events, sample, settle
from mcommerce.events import (
    OrderCancelled,
    OrderedLine,
    OrderPaid,
    OrderPlaced,
    StockCommitFailed,
    StockCommitted,
    StockReserved,
)
from mcommerce.products.models import Product
from tests.mcommerce.products.conftest import left, put_on_shelf

pytestmark = pytest.mark.django_db(transaction=True)


def tell(*events: Event) -> None:
    settle(*events, only=["products"])  # other groups would look in vain for an order that nobody placed


def placed(order: UUID, vase: Product) -> OrderPlaced:
    return sample(OrderPlaced, order_id=order, lines=ordered(vase))


def paid(order: UUID, vase: Product) -> OrderPaid:
    return sample(OrderPaid, order_id=order, lines=ordered(vase))


def ordered(vase: Product) -> tuple[OrderedLine, ...]:
    return (sample(OrderedLine, product_id=vase.id, quantity=2),)


def test_an_order_placed_and_paid_takes_its_pieces_away() -> None:
    vase, order = put_on_shelf(pieces=5), uuid4()

    tell(placed(order, vase))
    assert left(vase) == (5, 2, 0)
    tell(paid(order, vase))

    assert left(vase) == (3, 0, 2)
    assert len(published_events(StockReserved)) == len(published_events(StockCommitted)) == 1


@pytest.mark.parametrize("before", [("placed",), ("placed", "paid"), ()], ids=["placed", "paid", "not even placed"])
def test_an_order_cancelled_gives_its_pieces_back_whatever_was_heard_before(before: tuple[str, ...]) -> None:
    vase, order = put_on_shelf(pieces=5), uuid4()
    words = {"placed": placed(order, vase), "paid": paid(order, vase)}
    tell(*(words[word] for word in before))

    tell(sample(OrderCancelled, order_id=order, reason="staff"), words["placed"])

    assert left(vase) == (5, 0, 0)


def test_an_order_paid_after_it_was_cancelled_is_told_that_its_goods_are_gone() -> None:
    vase, order = put_on_shelf(pieces=5), uuid4()
    tell(placed(order, vase), sample(OrderCancelled, order_id=order, reason="payment_timeout"))

    tell(paid(order, vase))

    assert [gone.lines[0].quantity for gone in published_events(StockCommitFailed)] == [2]
