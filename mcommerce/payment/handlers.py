"""Event handlers of the payments. Group `payment` writes rows only; the other two call the payment provider."""

from eventbus import clock, effect, handles
from mcommerce.events import OrderAwaitingPayment, OrderCancelled, OrderOverdue, OrderRefundRequested
from mcommerce.payment.providers.base import SessionState
from mcommerce.payment.services import payments, refunds, status_checks
from mcommerce.payment.services.refunds import RefundAnswer
from mcommerce.payment.services.status_checks import PaymentCheckDue

# A refund without an answer is retried, five minutes apart at most. After a day and a half it becomes a dead letter:
# such an outage is long, and a customer waits for the money.
REFUND_ATTEMPTS_MAX = 800


@handles(OrderAwaitingPayment, group="payment")
def open_payment(event: OrderAwaitingPayment) -> None:
    payments.open_payment(
        order_id=event.order_id,
        amount=event.amount,
        currency=event.currency,
        expires_at=event.expires_at,
        order_number=event.order_number,
        email=event.email,
    )


@handles(OrderCancelled, group="payment")
def cancel_payment(event: OrderCancelled) -> None:
    payments.cancel_payment(order_id=event.order_id, now=clock.now())


@handles(OrderOverdue, group="payment")
def close_payment(event: OrderOverdue) -> None:
    payments.close_payment(order_id=event.order_id, now=clock.now())


def record_refund(event: OrderRefundRequested, answer: RefundAnswer) -> None:
    refunds.record_refund(event, answer, now=clock.now())


# Retried after a crash: the refund's id is the idempotency key, so the money goes back once.
@effect(
    OrderRefundRequested,
    group="payment-refunds",
    record=record_refund,
    on_unknown_outcome="retry",
    attempts=REFUND_ATTEMPTS_MAX,
)
def send_refund(event: OrderRefundRequested, *, idempotency_key: str) -> RefundAnswer:
    return refunds.send_refund(event, now=clock.now())


def record_check(event: PaymentCheckDue, answer: SessionState | None) -> None:
    status_checks.record_check(event, answer, now=clock.now())


# Retried after a crash: a query changes nothing, and an expiry has a key of its own.
@effect(PaymentCheckDue, group="payment-checks", record=record_check, on_unknown_outcome="retry")
def ask_provider(event: PaymentCheckDue, *, idempotency_key: str) -> SessionState | None:
    return status_checks.ask_provider(event)
