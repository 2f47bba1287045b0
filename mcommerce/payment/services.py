"""What can be done with a payment.

Every service is one story. Those that call the payment company commit what they are about to do, call outside any
transaction, and then record the answer.
"""

import logging
from datetime import datetime
from typing import NoReturn
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, transaction

from eventbus import failpoints, publish
from mcommerce.events import PaymentClosed, PaymentOpened
from mcommerce.payment.checks import doubt, schedule_check
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
from mcommerce.payment.sessions import current_state, open_session
from mcommerce.payment.settlement import lock_payment, move, settle

logger = logging.getLogger(__name__)

OPEN_OUTCOMES = (Attempt.Outcome.OPEN, Attempt.Outcome.ACTION_REQUIRED)


class NotYetOpen(Exception):
    """The order does not wait for money, or not yet."""


class AlreadyPaid(Exception):
    """The order was paid."""


class TooLate(Exception):
    """The order can be paid no more: cancelled, or too late."""


class Refused(Exception):
    """The payment company answered, and opens no page for this order."""


class TriedTooOften(Exception):
    """The order has opened as many pages to pay at as it may."""


class InDoubt(Exception):
    """Nobody can say whether the order was paid: the company is being asked."""


class UnknownSession(Exception):
    """No attempt of ours has this session."""


@transaction.atomic
def open_payment(
    *, order_id: UUID, amount: int, currency: str, expires_at: datetime, order_number: str = "", email: str = ""
) -> None:
    """An order waits for its money. `amount` in minor units. Opening it again changes nothing.

    By its number and the customer's address staff find it again.
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
        },
    )
    if created:
        publish(PaymentOpened(payment_id=payment.id, order_id=order_id))


def start_attempt(*, order_id: UUID, language: str, now: datetime, provider: Provider | None = None) -> str:
    """The address of the page where the shopper pays; while one is open, always the same.

    `provider`: the company as this press has asked it before, since one press has one deadline.

    Raises NotYetOpen, AlreadyPaid, TooLate, TriedTooOften, InDoubt, Refused, ProviderDown (nothing happened) and
    ProviderTimeout (nobody saw the page; starting again uses the same key).
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
    """The page, once the company has said that it took nothing. Raises InDoubt while it does not say."""
    order_id = attempt.payment.order_id
    if ask_now(payment_id=attempt.payment_id, now=now, provider=provider).status == Payment.Status.UNKNOWN:
        raise InDoubt(order_id)
    return start_attempt(order_id=order_id, language=language, now=now, provider=provider)


def nothing_charged(*, order_id: UUID) -> bool:
    """Whether it is known that no money of this order was taken: nobody has a page where it could be."""
    pages = Attempt.objects.filter(payment__order_id=order_id, outcome__in=OPEN_OUTCOMES).exclude(url="")
    return not pages.exists() and not Payment.objects.filter(order_id=order_id, captured__gt=0).exists()


def _claim_attempt(*, order_id: UUID, language: str, now: datetime) -> Attempt:
    """The open attempt, or a new one: committed before anybody is asked for anything."""
    try:
        payment = lock_payment(order_id=order_id)
    except Payment.DoesNotExist:
        raise NotYetOpen(order_id) from None
    if payment.status == Payment.Status.SUCCEEDED:
        raise AlreadyPaid(order_id)
    if payment.status == Payment.Status.CANCELLED or payment.expires_at <= now:
        raise TooLate(order_id)
    attempt = payment.attempts.select_related("payment").filter(outcome__in=OPEN_OUTCOMES).first()
    if attempt is None:
        attempt = _new_attempt(payment, language=language, now=now)
    if payment.status == Payment.Status.NEW:
        move(payment, Payment.Status.PROCESSING, now=now)
    return attempt


def _new_attempt(payment: Payment, *, language: str, now: datetime) -> Attempt:
    """Its addresses are the site's own. A visitor's Host header says where they want to be, not where we are."""
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
            # Cancelled while the company was being asked: now that the session is known, it can be closed.
            schedule_check(attempt, now=now, at_once=True)
    if cancelled:
        raise TooLate(attempt.payment.order_id)
    if not attempt.is_open:
        _tell_why_ended(attempt, now=now)
    return attempt.url


def _tell_why_ended(attempt: Attempt, *, now: datetime) -> NoReturn:
    """There is no page to go to: paid in another tab meanwhile, too late, or the company wants none."""
    payment = attempt.payment
    if payment.status == Payment.Status.SUCCEEDED:
        raise AlreadyPaid(payment.order_id)
    if payment.expires_at <= now:
        raise TooLate(payment.order_id)
    logger.error("The payment company opens no page for payment %s: %s", payment.id, attempt.code or attempt.outcome)
    raise Refused(payment.order_id)


@transaction.atomic
def cancel_payment(*, order_id: UUID, now: datetime) -> None:
    """Nobody waits for this money any more. Money that was taken already stays taken, until a refund is asked for."""
    try:
        payment = lock_payment(order_id=order_id)
    except Payment.DoesNotExist:
        return  # the order was cancelled before it waited for money
    if move(payment, Payment.Status.CANCELLED, now=now):
        _close(payment, now=now)


@transaction.atomic
def close_payment(*, order_id: UUID, now: datetime) -> None:
    """The order's time is over, and it ends once nothing more can be taken: then `PaymentClosed` is told.

    Its page at the company is closed, unless it was paid; no page, and the company is not asked.
    """
    payment = Payment.objects.select_for_update().filter(order_id=order_id).first()
    if payment is None:
        publish(PaymentClosed(order_id=order_id))
        return
    move(payment, Payment.Status.CANCELLED, now=now)
    _close(payment, now=now)


def _close(payment: Payment, *, now: datetime) -> None:
    """Have the open attempt's session closed; what comes of it is told when it is known."""
    attempt = payment.attempts.select_related("payment").filter(outcome__in=OPEN_OUTCOMES).first()
    if attempt is None:
        publish(PaymentClosed(order_id=payment.order_id))
    else:
        schedule_check(attempt, now=now, at_once=True)


@transaction.atomic
def settle_session(*, provider: str, state: SessionState, now: datetime) -> None:
    """Take in a session's state, whoever brought it, however often and in whatever order. Raises UnknownSession."""
    attempt = Attempt.objects.filter(provider=provider, provider_ref=state.ref).first()
    if attempt is None:
        raise UnknownSession(state.ref)
    settle(attempt, state, now=now)


def receive_webhook(*, provider: str, webhook: Webhook, now: datetime) -> None:
    """Take in a genuine webhook, once. Raises UnknownSession; then it was not heard, and may come again."""
    try:
        with failpoints.atomic("payment.webhook"):
            WebhookReceipt.objects.create(provider=provider, event_id=webhook.event_id, received_at=now)
            settle_session(provider=provider, state=webhook.session, now=now)
    except IntegrityError:
        if not WebhookReceipt.objects.filter(provider=provider, event_id=webhook.event_id).exists():
            raise
        logger.info("Webhook %s was told again", webhook.event_id)


def ask_now(*, payment_id: UUID, now: datetime, provider: Provider | None = None) -> Payment:
    """Ask the company how the payment stands and take in its answer. Raises Payment.DoesNotExist.

    `provider`: see `start_attempt`.
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
