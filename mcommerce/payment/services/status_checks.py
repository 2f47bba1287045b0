"""Checks that query the payment provider until its answer is final, so that no payment is missed if an answer is lost.

An open attempt has one scheduled check, up to CHECKS_MAX in a row. Each check has a number; only the one with the
attempt's newest number runs.
"""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from eventbus import Event, publish
from mcommerce.payment.models import Attempt
from mcommerce.payment.providers import provider_named
from mcommerce.payment.providers.base import ProviderError, SessionState
from mcommerce.payment.services.provider_answers import become_unknown, lock_payment, raise_alarm, settle
from mcommerce.payment.services.provider_sessions import current_state

logger = logging.getLogger(__name__)

# Seconds before each check; the last value repeats. The first checks come soon, to find a lost answer while the shopper
# still looks at the page. The later ones find what happened to shoppers who left.
CHECK_DELAYS_SECONDS = (10, 20, 30, 60, 120, 300, 600)
CHECKS_MAX = 1000  # in a row, about a week: after it staff must look


class PaymentCheckDue(Event, name="payment.check_due", topic="payment", key="order_id"):
    """A timer of the payments: query the payment provider about an attempt. No other app handles it."""

    order_id: UUID
    attempt_id: UUID
    number: int


def schedule_check(attempt: Attempt, *, now: datetime, again: bool = False, at_once: bool = False) -> None:
    """Schedule a check of the attempt, in place of an earlier one. `again`: one more in a row, which waits longer."""
    attempt.check_number += 1
    attempt.checks_in_a_row = attempt.checks_in_a_row + 1 if again else 0
    attempt.save(update_fields=["check_number", "checks_in_a_row"])
    delay = CHECK_DELAYS_SECONDS[min(attempt.checks_in_a_row, len(CHECK_DELAYS_SECONDS) - 1)]
    due = None if at_once else now + timedelta(seconds=delay)
    publish(
        PaymentCheckDue(order_id=attempt.payment.order_id, attempt_id=attempt.id, number=attempt.check_number),
        due=due,
    )


def doubt(attempt: Attempt, *, now: datetime) -> None:
    """Mark a payment as unknown after a missing answer, since money may have been taken; schedule a check."""
    payment = lock_payment(id=attempt.payment_id)
    attempt.refresh_from_db()
    if attempt.is_open and become_unknown(payment, attempt, now=now):
        schedule_check(attempt, now=now)


def ask_provider(event: PaymentCheckDue) -> SessionState | None:
    """Return the provider's state of the attempt; None for an outdated check or no answer. Outside any transaction."""
    attempt = Attempt.objects.select_related("payment").filter(id=event.attempt_id, check_number=event.number).first()
    if attempt is None or not attempt.is_open:
        return None
    try:
        return current_state(attempt, provider_named(attempt.provider))
    except ProviderError as error:
        logger.warning("No answer about payment %s: %s", attempt.payment_id, error)
        return None


def record_check(event: PaymentCheckDue, answer: SessionState | None, *, now: datetime) -> None:
    """Record the answer, or its absence; schedule another check unless it was final. In the bus's transaction."""
    attempt = Attempt.objects.select_related("payment").get(id=event.attempt_id)
    payment = lock_payment(id=attempt.payment_id)
    attempt.refresh_from_db()
    if attempt.check_number != event.number or not attempt.is_open:
        return
    if answer is None:
        become_unknown(payment, attempt, now=now)
    else:
        settle(attempt, answer, now=now)
    if attempt.is_open and attempt.checks_in_a_row < CHECKS_MAX:
        schedule_check(attempt, now=now, again=True)
    elif attempt.is_open:
        raise_alarm(payment, "the payment provider never gave a final answer")
