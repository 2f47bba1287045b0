"""The events about the present state of an order: for the first publication, and for a repeat."""

from mcommerce.events import OrderAwaitingPayment, OrderedLine, OrderPaid
from mcommerce.orders.models import Order


def awaiting_payment(order: Order) -> OrderAwaitingPayment:
    """Return the event that its stock is reserved and it awaits payment."""
    return OrderAwaitingPayment(
        order_id=order.id,
        amount=order.total,
        currency=order.currency,
        expires_at=order.expires_at,
        number=order.number,
        email=order.email,
    )


def paid(order: Order) -> OrderPaid:
    """Return the event that it is paid, with all its lines."""
    lines = tuple(
        OrderedLine(product_id=line.product_id, quantity=line.quantity, unit_price=line.unit_price)
        for line in order.lines.all()
    )
    return OrderPaid(order_id=order.id, amount=order.total, currency=order.currency, lines=lines)
