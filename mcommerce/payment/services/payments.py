"""Operations on a payment.

A function that calls the payment provider first commits its intention. Then it calls, outside any transaction, and
records the answer.
"""

import logging
from datetime import datetime
from typing import NoReturn
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction

from eventbus import failpoints, publish
from eventbus.events import present_trace
from eventbus.tracing.continuing import continued
from mcommerce.events import PaymentClosed, PaymentOpened
from mcommerce.payment.models import ATTEMPTS_MAX, Attempt, Payment, WebhookReceipt
from mcommerce.payment.providers import provider_named
from mcommerce.payment.providers.base import (
    Provider,
    ProviderDown,
    ProviderError,
    ProviderTimeout,
    SessionState,
    Webhook,
)
from mcommerce.payment.services.provider_answers import lock_payment, move, settle
from mcommerce.payment.services.provider_sessions import current_state, open_session
from mcommerce.payment.services.status_checks import doubt, schedule_check

logger = logging.getLogger(__name__)

OPEN_OUTCOMES = (Attempt.Outcome.OPEN, Attempt.Outcome.ACTION_REQUIRED)


class NotYetOpen(Exception):
    """The order does not await payment, or not yet."""


class AlreadyPaid(Exception):
    """The order was paid."""


class TooLate(Exception):
    """The order can be paid no more: it is cancelled or overdue."""


class Refused(Exception):
    """The payment provider refused to open a page for this order."""


class TriedTooOften(Exception):
    """The order has opened the maximum of pages to pay at."""


class InDoubt(Exception):
    """It is unknown whether the order was paid: checks query the provider."""


class UnknownSession(Exception):
    """No attempt in our tables has this session."""


@transaction.atomic
def open_payment(
    *, order_id: UUID, amount: int, currency: str, expires_at: datetime, order_number: str = "", email: str = ""
) -> None:
    """Open the payment of an order. `amount` is in minor units. A repeat changes nothing.

    Staff search for the payment by `order_number` and by `email`, the customer's address.
    """
    payment, created = Payment.objects.get_or_create(
        order_id=order_id,
        defaults={
            "amount": amount,
            "currency": currency,
            "expires_at": expires_at,
            "order_number": order_number,
            "email": email,
            "provider": settings.PAYMENT_PROVIDER,
            "trace": present_trace(),
        },
    )
    if created:
        publish(PaymentOpened(payment_id=payment.id, order_id=order_id))


def start_attempt(*, order_id: UUID, language: str, now: datetime, provider: Provider | None = None) -> str:
    """Return the address of the provider's page where the shopper pays: the same one while it is open.

    `provider`: the client that this request has used already, so that its time limit covers all calls. None makes a new
    one.

    Raises NotYetOpen, AlreadyPaid, TooLate, TriedTooOften, InDoubt, Refused, ProviderDown (nothing happened) and
    ProviderTimeout (the shopper got no page; a new call uses the same key).
    """
    with failpoints.atomic("payment.claim"):
        attempt = _claim_attempt(order_id=order_id, language=language, now=now)
    provider = provider or provider_named(attempt.provider, by_visitor=True)
    if attempt.url and attempt.payment.status == Payment.Status.UNKNOWN:
        return _page_after_asking(attempt, provider, language=language, now=now)
    if attempt.url:
        return attempt.url
    try:
        state = open_session(attempt, provider)
    except ProviderTimeout:
        with failpoints.atomic("payment.doubt"):
            doubt(attempt, now=now)
        raise
    except ProviderDown:
        with failpoints.atomic("payment.down"):
            move(attempt.payment, Payment.Status.NEW, now=now)
        raise
    return _record_session(attempt, state, now=now)


def _page_after_asking(attempt: Attempt, provider: Provider, *, language: str, now: datetime) -> str:
    """Return the page, once the provider has answered that it took nothing. Raises InDoubt without an answer."""
    order_id = attempt.payment.order_id
    if ask_now(payment_id=attempt.payment_id, now=now, provider=provider).status == Payment.Status.UNKNOWN:
        raise InDoubt(order_id)
    return start_attempt(order_id=order_id, language=language, now=now, provider=provider)


def nothing_charged(*, order_id: UUID) -> bool:
    """Return whether no money of this order can have been taken: none is captured, and no page to pay at is open."""
    pages = Attempt.objects.filter(payment__order_id=order_id, outcome__in=OPEN_OUTCOMES).exclude(url="")
    return not pages.exists() and not Payment.objects.filter(order_id=order_id, captured__gt=0).exists()


def _claim_attempt(*, order_id: UUID, language: str, now: datetime) -> Attempt:
    """Return the open attempt, or a new one: committed before the provider is called."""
    try:
        payment = lock_payment(order_id=order_id)
    except Payment.DoesNotExist:
        raise NotYetOpen(order_id) from None
    if payment.status == Payment.Status.SUCCEEDED:
        raise AlreadyPaid(order_id)
    if payment.status == Payment.Status.CANCELLED or payment.expires_at <= now:
        raise TooLate(order_id)
    with continued("payment attempt", payment.trace):
        return _open_attempt(payment, language=language, now=now)


def _open_attempt(payment: Payment, *, language: str, now: datetime) -> Attempt:
    attempt = payment.attempts.select_related("payment").filter(outcome__in=OPEN_OUTCOMES).first()
    if attempt is None:
        attempt = _new_attempt(payment, language=language, now=now)
    if payment.status == Payment.Status.NEW:
        move(payment, Payment.Status.PROCESSING, now=now)
    return attempt


def _new_attempt(payment: Payment, *, language: str, now: datetime) -> Attempt:
    """Create an attempt. Its addresses use SITE_URL, and never a visitor's Host header, which may be wrong."""
    if payment.attempts.count() >= ATTEMPTS_MAX:
        raise TriedTooOften(payment.order_id)
    attempt = Attempt.objects.create(
        payment=payment, provider=payment.provider, site_url=settings.SITE_URL, language=language, started_at=now
    )
    schedule_check(attempt, now=now)
    return attempt


def _record_session(attempt: Attempt, state: SessionState, *, now: datetime) -> str:
    with failpoints.atomic("payment.record"):
        settle(attempt, state, now=now)
        attempt.payment.refresh_from_db()
        cancelled = attempt.payment.status == Payment.Status.CANCELLED
        if cancelled and attempt.is_open:
            # Cancelled during the call: now that the session is known, it can be closed.
            schedule_check(attempt, now=now, at_once=True)
    if cancelled:
        raise TooLate(attempt.payment.order_id)
    if not attempt.is_open:
        _tell_why_ended(attempt, now=now)
    return attempt.url


def _tell_why_ended(attempt: Attempt, *, now: datetime) -> NoReturn:
    """Raise the reason why there is no page: paid in another tab meanwhile, too late, or refused."""
    payment = attempt.payment
    if payment.status == Payment.Status.SUCCEEDED:
        raise AlreadyPaid(payment.order_id)
    if payment.expires_at <= now:
        raise TooLate(payment.order_id)
    logger.error("The payment provider opens no page for payment %s: %s", payment.id, attempt.code or attempt.outcome)
    raise Refused(payment.order_id)


@transaction.atomic
def cancel_payment(*, order_id: UUID, now: datetime) -> None:
    """Cancel the payment of an order. Money that was taken already stays taken, until a refund is requested."""
    try:
        payment = lock_payment(order_id=order_id)
    except Payment.DoesNotExist:
        return  # the order was cancelled before it waited for money
    if move(payment, Payment.Status.CANCELLED, now=now):
        _close(payment, now=now)


@transaction.atomic
def close_payment(*, order_id: UUID, now: datetime) -> None:
    """Close the payment of an overdue order; publish `PaymentClosed` once nothing more can be charged.

    Without an open attempt that is now. Otherwise a check has the provider close the session first, unless it is paid.
    """
    payment = Payment.objects.select_for_update().filter(order_id=order_id).first()
    if payment is None:
        publish(PaymentClosed(order_id=order_id))
        return
    move(payment, Payment.Status.CANCELLED, now=now)
    _close(payment, now=now)


def _close(payment: Payment, *, now: datetime) -> None:
    """Publish `PaymentClosed` at once if no attempt is open. Otherwise schedule a check that closes its session."""
    attempt = payment.attempts.select_related("payment").filter(outcome__in=OPEN_OUTCOMES).first()
    if attempt is None:
        publish(PaymentClosed(order_id=payment.order_id))
    else:
        schedule_check(attempt, now=now, at_once=True)


@transaction.atomic
def settle_session(*, provider: str, state: SessionState, now: datetime) -> None:
    """Record a session's state, from any source, however often and in any order.

    Raises UnknownSession if no attempt in our tables has the session.
    """
    attempt = Attempt.objects.filter(provider=provider, provider_ref=state.ref).first()
    if attempt is None:
        raise UnknownSession(state.ref)
    settle(attempt, state, now=now)


def receive_webhook(*, provider: str, webhook: Webhook, now: datetime) -> None:
    """Record a genuine webhook, once. Raises UnknownSession: then it is not recorded, and may come again."""
    try:
        with failpoints.atomic("payment.webhook"):
            WebhookReceipt.objects.create(provider=provider, event_id=webhook.event_id, received_at=now)
            settle_session(provider=provider, state=webhook.session, now=now)
    except IntegrityError:
        if not WebhookReceipt.objects.filter(provider=provider, event_id=webhook.event_id).exists():
            raise
        logger.info("Webhook %s was told again", webhook.event_id)


def ask_now(*, payment_id: UUID, now: datetime, provider: Provider | None = None) -> Payment:
    """Query the provider for the payment's state, and record its answer. Raises Payment.DoesNotExist.

    Without an open attempt nothing is queried. `provider`: see `start_attempt`.
    """
    payment = Payment.objects.get(id=payment_id)
    attempt = payment.attempts.select_related("payment").filter(outcome__in=OPEN_OUTCOMES).first()
    if attempt is not None:
        try:
            state = current_state(attempt, provider or provider_named(attempt.provider, by_visitor=True))
        except ProviderError as error:
            logger.warning("No answer about payment %s: %s", payment_id, error)
            with failpoints.atomic("payment.unsure"):
                doubt(attempt, now=now)
        else:
            with failpoints.atomic("payment.settle"):
                settle(attempt, state, now=now)
        payment.refresh_from_db()
    return payment
