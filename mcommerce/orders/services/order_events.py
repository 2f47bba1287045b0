"""The events about an order, made from its present rows, for the first publication and for a repeat."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from mcommerce.events import (
    OrderAwaitingPayment,
    OrderCancelled,
    OrderContactGiven,
    OrderDelivered,
    OrderedLine,
    OrderPaid,
    OrderPlaced,
    OrderRefunded,
    OrderRefundFailed,
    OrderReturned,
    OrderShipped,
    VatAmount,
)
from mcommerce.orders.models import Order, OrderLine, OrderStep, Refund


def contact_given(order: Order) -> OrderContactGiven:
    """Return the event with the customer's address."""
    return OrderContactGiven(**_about(order), email=order.email, language=order.language)


def placed(order: Order) -> OrderPlaced:
    """Return the event that the order was placed."""
    return OrderPlaced(
        **_about(order),
        lines=_lines(order.lines.all()),
        total=order.total,
        currency=order.currency,
        expires_at=order.expires_at,
    )


def awaiting_payment(order: Order) -> OrderAwaitingPayment:
    """Return the event that the order's stock is reserved and it awaits payment."""
    return OrderAwaitingPayment(
        **_about(order),
        amount=order.total,
        currency=order.currency,
        expires_at=order.expires_at,
        email=order.email,
    )


def paid(order: Order) -> OrderPaid:
    """Return the event that the order is paid, with all its lines."""
    lines = list(order.lines.all())
    return OrderPaid(
        **_about(order),
        amount=order.total,
        currency=order.currency,
        lines=_lines(lines),
        vat=_vat(lines),
        country=order.country,
        at=order.steps.filter(kind=OrderStep.Kind.PAID).values_list("at", flat=True)[0],
    )


def cancelled(order: Order) -> OrderCancelled:
    """Return the event that the order was cancelled."""
    return OrderCancelled(**_about(order), reason=order.cancel_reason)


def shipped(order: Order, *, at: datetime) -> OrderShipped:
    """Return the event that the order is on its way."""
    return OrderShipped(**_about(order), carrier=order.carrier, tracking=order.tracking, at=at)


def delivered(order: Order) -> OrderDelivered:
    """Return the event that the order has arrived."""
    return OrderDelivered(**_about(order), carrier=order.carrier, tracking=order.tracking)


def returned(order: Order) -> OrderReturned:
    """Return the event that the order's pieces came back."""
    return OrderReturned(**_about(order))


def refunded(refund: Refund, *, at: datetime) -> OrderRefunded:
    """Return the event that a refund is done."""
    order = refund.order
    done = order.refunds.filter(state=Refund.State.REFUNDED)
    return OrderRefunded(
        **_about(order),
        **_money(refund),
        sale_refunded=sum(one.amount for one in done if one.payment_id == order.payment_id),
        vat=_vat(order.lines.all()) if refund.payment_id == order.payment_id else (),
        country=order.country,
        at=at,
    )


def refund_failed(refund: Refund) -> OrderRefundFailed:
    """Return the event that the provider refused a refund."""
    return OrderRefundFailed(**_about(refund.order), **_money(refund), code=refund.code)


def _about(order: Order) -> dict[str, Any]:
    return {"order_id": order.id, "order_number": order.number, "customer_id": order.customer_id}


def _money(refund: Refund) -> dict[str, Any]:
    return {
        "refund_id": refund.id,
        "amount": refund.amount,
        "currency": refund.currency,
        "reason": refund.reason,
    }


def _lines(lines: Iterable[OrderLine]) -> tuple[OrderedLine, ...]:
    return tuple(
        OrderedLine(
            product_id=line.product_id,
            quantity=line.quantity,
            unit_price=line.unit_price,
            tax_rate=line.tax_rate,
            tax=line.tax,
        )
        for line in lines
    )


def _vat(lines: Iterable[OrderLine]) -> tuple[VatAmount, ...]:
    """Return the amounts by rate, the lowest rate first."""
    amounts: Counter[int] = Counter()
    taxes: Counter[int] = Counter()
    for line in lines:
        amounts[line.tax_rate] += line.total
        taxes[line.tax_rate] += line.tax
    return tuple(VatAmount(rate=rate, amount=amounts[rate], tax=taxes[rate]) for rate in sorted(amounts))
