"""Event handlers of the orders. Group `orders` writes rows only; group `mail` sends mails."""

from eventbus import clock, effect, handles
from mcommerce.events import (
    OrderCancelled,
    OrderExpiredCheck,
    OrderOverdueCheck,
    OrderPaid,
    OrderRefunded,
    OrderShipped,
    PaymentActionRequired,
    PaymentClosed,
    PaymentDoubtCleared,
    PaymentFailed,
    PaymentInDoubt,
    PaymentOpened,
    PaymentRefunded,
    PaymentRefundFailed,
    PaymentSucceeded,
    ProductPublished,
    ProductStockChanged,
    ProductWithdrawn,
    StockCommitFailed,
    StockRejected,
    StockReserved,
)
from mcommerce.orders import mail
from mcommerce.orders.services import lifecycle, offers, payment_status, refunds
from outside.mail import MAIL_ATTEMPTS_MAX

# --- what is for sale ----------------------------------------------------------------------------------------------


@handles(ProductPublished, group="orders", replayable=True)
def keep_published(event: ProductPublished) -> None:
    offers.keep_published(event)


@handles(ProductWithdrawn, group="orders", replayable=True)
def keep_withdrawn(event: ProductWithdrawn) -> None:
    offers.keep_withdrawn(event)


@handles(ProductStockChanged, group="orders", replayable=True)
def keep_stock(event: ProductStockChanged) -> None:
    offers.keep_stock(event)


# --- the walk of an order ------------------------------------------------------------------------------------------


@handles(StockReserved, group="orders")
def await_payment(event: StockReserved) -> None:
    lifecycle.await_payment(order_id=event.order_id, now=clock.now())


@handles(StockRejected, group="orders")
def reject_for_stock(event: StockRejected) -> None:
    lifecycle.reject_for_stock(order_id=event.order_id, shortages=event.shortages, now=clock.now())


@handles(StockCommitFailed, group="orders")
def lose_stock(event: StockCommitFailed) -> None:
    lifecycle.lose_stock(order_id=event.order_id, now=clock.now())


@handles(PaymentSucceeded, group="orders")
def take_payment(event: PaymentSucceeded) -> None:
    lifecycle.take_payment(
        order_id=event.order_id,
        payment_id=event.payment_id,
        amount=event.amount,
        currency=event.currency,
        now=clock.now(),
    )


@handles(PaymentOpened, group="orders")
def note_opened(event: PaymentOpened) -> None:
    payment_status.note_opened(order_id=event.order_id)


@handles(PaymentInDoubt, group="orders")
def note_doubt(event: PaymentInDoubt) -> None:
    payment_status.note_doubt(order_id=event.order_id, now=clock.now())


@handles(PaymentDoubtCleared, group="orders")
def note_doubt_cleared(event: PaymentDoubtCleared) -> None:
    payment_status.note_doubt_cleared(order_id=event.order_id, now=clock.now())


@handles(PaymentClosed, group="orders")
def end_overdue(event: PaymentClosed) -> None:
    lifecycle.end_overdue(order_id=event.order_id, now=clock.now())


@handles(PaymentActionRequired, group="orders")
def ask_confirmation(event: PaymentActionRequired) -> None:
    lifecycle.ask_confirmation(order_id=event.order_id, payment_id=event.payment_id, now=clock.now())


@handles(PaymentFailed, group="orders")
def note_decline(event: PaymentFailed) -> None:
    lifecycle.note_decline(
        order_id=event.order_id,
        payment_id=event.payment_id,
        code=event.code,
        retryable=event.retryable,
        now=clock.now(),
    )


@handles(OrderExpiredCheck, group="orders")
def expire(event: OrderExpiredCheck) -> None:
    lifecycle.expire(order_id=event.order_id, now=clock.now())


@handles(OrderOverdueCheck, group="orders")
def call_about_overdue(event: OrderOverdueCheck) -> None:
    lifecycle.call_about_overdue(order_id=event.order_id)


@handles(PaymentRefunded, group="orders")
def settle_refund(event: PaymentRefunded) -> None:
    refunds.settle(refund_id=event.refund_id, code=event.code, now=clock.now())


@handles(PaymentRefundFailed, group="orders")
def fail_refund(event: PaymentRefundFailed) -> None:
    refunds.fail(refund_id=event.refund_id, code=event.code, number=event.number, now=clock.now())


# --- mail ----------------------------------------------------------------------------------------------------------
# A mail that a crash interrupted is not sent again: customers report a missing mail, and a second one alarms them.


def note_mail(event: OrderPaid | OrderCancelled | OrderRefunded | OrderShipped, mail_name: str) -> None:
    if mail_name:
        lifecycle.note_mail(order_id=event.order_id, name=mail_name, now=clock.now())


@effect(OrderPaid, group="mail", record=note_mail, on_unknown_outcome="never", attempts=MAIL_ATTEMPTS_MAX)
def confirm(event: OrderPaid, *, idempotency_key: str) -> str:
    return mail.send("paid", event.order_id)


@effect(OrderCancelled, group="mail", record=note_mail, on_unknown_outcome="never", attempts=MAIL_ATTEMPTS_MAX)
def say_cancelled(event: OrderCancelled, *, idempotency_key: str) -> str:
    return mail.send("cancelled", event.order_id)


@effect(OrderRefunded, group="mail", record=note_mail, on_unknown_outcome="never", attempts=MAIL_ATTEMPTS_MAX)
def say_refunded(event: OrderRefunded, *, idempotency_key: str) -> str:
    return mail.send("refunded", event.order_id, amount=event.amount, currency=event.currency)


@effect(OrderShipped, group="mail", record=note_mail, on_unknown_outcome="never", attempts=MAIL_ATTEMPTS_MAX)
def say_sent(event: OrderShipped, *, idempotency_key: str) -> str:
    return mail.send("shipped", event.order_id)
