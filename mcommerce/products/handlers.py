"""The stock's handlers of order events. Each event has a transaction of its own: it locks rows of products."""

from eventbus import clock, handles
from mcommerce.events import OrderCancelled, OrderPaid, OrderPlaced, OrderReturned, StockLine
from mcommerce.products.services import stock


def _lines(event: OrderPlaced | OrderPaid) -> list[StockLine]:
    return [StockLine(product_id=line.product_id, quantity=line.quantity) for line in event.lines]


@handles(OrderPlaced, group="products", batch=1, permanent=(stock.NothingAsked,))
def reserve_stock(event: OrderPlaced) -> None:
    stock.reserve_stock(order_id=event.order_id, lines=_lines(event), now=clock.now())


@handles(OrderPaid, group="products", batch=1)
def commit_stock(event: OrderPaid) -> None:
    stock.commit_stock(order_id=event.order_id, lines=_lines(event), now=clock.now())


@handles(OrderCancelled, group="products", batch=1)
def release_stock(event: OrderCancelled) -> None:
    stock.release_stock(order_id=event.order_id, now=clock.now())


@handles(OrderReturned, group="products", batch=1)
def take_back_stock(event: OrderReturned) -> None:
    stock.take_back_stock(order_id=event.order_id, now=clock.now())
