"""Differences between the payments, the orders and the stock about the same order."""

from collections.abc import Iterator
from datetime import datetime
from functools import partial
from typing import Any

from mcommerce.orders.services import reconciliation as orders
from mcommerce.orders.services.reconciliation import OrderStatement
from mcommerce.payment.services import payments as payment_services
from mcommerce.payment.services import reconciliation as payments
from mcommerce.payment.services import repairs
from mcommerce.payment.services.reconciliation import PaymentStatement
from mcommerce.products.services import reconciliation as products
from mcommerce.products.services import stock
from mcommerce.reconcile.difference import PERSON, Difference, money


class OrderComparison:
    """A comparison of every payment with its order, every order with its payment, and held stock with both."""

    def __init__(self, *, charges: set[str], under_way: set[str], now: datetime) -> None:
        self._charges, self._under_way, self._now = charges, under_way, now

    def differences(self) -> Iterator[Difference]:
        for batch in payments.all_payments():
            there = orders.of([payment.order_id for payment in batch])
            for payment in batch:
                order = there.get(payment.order_id)
                if order is None or str(payment.order_id) not in self._under_way:
                    yield from self._of_payment(payment, order)
        for found in orders.all_orders():
            ids = [order.id for order in found]
            paid_by, held = payments.of_orders(ids), products.held_among(ids)
            for order in found:
                if str(order.id) not in self._under_way:
                    yield from self._of_order(order, paid_by.get(order.id), is_held=order.id in held)
        for ids in products.held():
            known = orders.of(ids)
            for order_id in ids:
                if order_id not in known:
                    yield self._held("an order that is not here", order_id=order_id)

    def _held(self, whom: str, **about: Any) -> Difference:
        release = partial(stock.release_stock, order_id=about["order_id"], now=self._now)
        what = f"pieces are held for {whom}"
        return Difference(name="stock-held-for-nothing", what=what, remedy="let go of them", repair=release, **about)

    def _of_payment(self, payment: PaymentStatement, order: OrderStatement | None) -> Iterator[Difference]:
        about: dict[str, Any] = {
            "order_id": payment.order_id,
            "order_number": payment.order_number,
            "payment_id": payment.id,
        }
        why = f"capture-without-charge: {payment.charge_ref}"
        if payment.succeeded and payment.alarm != repairs.alarm(why) and not self._was_charged(payment):
            what = f"{money(payment.captured, payment.currency)} are captured that the payment provider never charged"
            mark = partial(repairs.mark, payment_id=payment.id, why=why)
            yield Difference(name="capture-without-charge", what=what, remedy=PERSON, repair=mark, **about)
        elif order is None:
            yield from self._without_order(payment, about)
        elif payment.succeeded and not order.knows(payment.id):
            tell = partial(repairs.tell_success, payment_id=payment.id)
            what = f"it is paid, and the order does not know ({order.state})"
            yield Difference(name="payment-not-heard", what=what, remedy="tell it again", repair=tell, **about)
        elif order.is_over and not payment.succeeded and not payment.cancelled:
            close = partial(payment_services.cancel_payment, order_id=order.id, now=self._now)
            what = "the order is cancelled, and can still be paid"
            yield Difference(name="payment-still-open", what=what, remedy="close the payment", repair=close, **about)

    def _was_charged(self, payment: PaymentStatement) -> bool:
        """Return whether the provider charged the payment, perhaps after the list of charges was read."""
        return payment.charge_ref in self._charges or payments.charge_of(payment) is not None

    def _without_order(self, payment: PaymentStatement, about: dict[str, Any]) -> Iterator[Difference]:
        left = payment.captured - payment.given_back
        if left > 0:
            what = f"{money(left, payment.currency)} are captured for an order that is not here"
            repair = partial(repairs.send_back, payment_id=payment.id, now=self._now)
            yield Difference(name="payment-without-order", what=what, remedy="send them back", repair=repair, **about)
        elif not payment.succeeded and not payment.cancelled:
            close = partial(payment_services.cancel_payment, order_id=payment.order_id, now=self._now)
            what = "a payment is open for an order that is not here"
            yield Difference(name="payment-without-order", what=what, remedy="close it", repair=close, **about)

    def _of_order(
        self, order: OrderStatement, payment: PaymentStatement | None, *, is_held: bool
    ) -> Iterator[Difference]:
        about: dict[str, Any] = {
            "order_id": order.id,
            "order_number": order.number,
            "payment_id": payment.id if payment else None,
        }
        if order.waits_for_money and payment is None:
            ask = partial(orders.ask_for_payment, order_id=order.id)
            what = "it waits for its money, and no payment is open"
            yield Difference(name="payment-missing", what=what, remedy="ask for it again", repair=ask, **about)
        if order.was_paid and order.payment_id and not order.attended and not (payment and payment.succeeded):
            call = partial(orders.call_a_person, order_id=order.id, why="paid-without-payment")
            what = "it counts as paid, and nothing was captured for it"
            yield Difference(name="paid-without-payment", what=what, remedy=PERSON, repair=call, **about)
        if order.is_over and is_held:
            yield self._held("a cancelled order", **about)
        if order.was_paid and is_held:
            tell = partial(orders.tell_paid, order_id=order.id)
            what = "it is paid, and its pieces have not left the stock"
            yield Difference(name="stock-not-taken", what=what, remedy="tell it again", repair=tell, **about)
        if payment is not None:
            yield from self._refunds(order, payment, about)

    def _refunds(self, order: OrderStatement, payment: PaymentStatement, about: dict[str, Any]) -> Iterator[Difference]:
        for refund in order.refunds.values():
            if refund.refunded or refund.payment_id != payment.id:
                continue
            known = payment.refunds.get(refund.id)
            if known is None and refund.requested:
                ask = partial(orders.ask_for_refund, refund_id=refund.id)
                what = "a refund was asked for, and the payments do not know"
                yield Difference(name="refund-not-heard", what=what, remedy="ask again", repair=ask, **about)
            elif known is not None and (known.succeeded or (known.failed and refund.requested)):
                tell = partial(repairs.tell_refund, refund_id=refund.id)
                what = f"a refund has {known.status}, and the order does not know"
                yield Difference(
                    name="refund-answer-not-heard", what=what, remedy="tell it again", repair=tell, **about
                )
