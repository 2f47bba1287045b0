"""Mistakes after a handler failed: with retries, parked keys, dead letters and the circuit breaker."""

from contextlib import suppress
from typing import Any

from django.db import transaction

from eventbus import clock, errors, registry
from eventbus.consuming.due_work import DueWork
from eventbus.errors import RetryLater
from eventbus.failures import parking
from eventbus.failures.circuit_breaker import CircuitBreaker
from eventbus.failures.failed_alike import FailedAlike
from eventbus.failures.poison_suspicion import Suspicion, Verdict
from eventbus.models import ParkedEvent, ParkedKey
from tests.simulation.mistakes.mistake import Promise, Right, mistake

RETRIED = ("a_handler_that_fails_once_is_retried_and_handles_once",)
FLOWS = ("a_poison_event_parks_its_key_while_the_others_flow_and_resumes_in_order",)


# --- parked keys ---------------------------------------------------------------------------------------------------


@mistake(registry.Group.call, breaks=Promise.NOTHING_LOST, noticed_by=FLOWS)
def a_handlers_error_is_swallowed(right: Right, *given: Any) -> None:
    with suppress(Exception), transaction.atomic():
        right(*given)


@mistake(registry.Handler.gives_up, breaks=Promise.PARK_THE_KEY, noticed_by=RETRIED)
def the_first_failure_is_the_last(right: Right, *given: Any) -> bool:
    return True


@mistake(parking.parked_keys, breaks=Promise.PARK_THE_KEY, noticed_by=FLOWS)
def a_failure_parks_its_whole_topic(right: Right, group: str, topic: str, keys: set[str]) -> dict[str, ParkedKey]:
    parked = ParkedKey.objects.filter(group=group, topic=topic).first()
    return dict.fromkeys(keys, parked) if parked else {}


@mistake(
    FailedAlike.make_due,
    breaks=Promise.PARK_THE_KEY,
    noticed_by=["after_a_repair_the_first_success_lets_all_that_failed_alike_follow"],
)
def a_success_lets_nobody_follow(right: Right, *given: Any) -> None:
    return None


@mistake(
    FailedAlike.make_due,
    breaks=Promise.PARK_THE_KEY,
    noticed_by=["one_success_makes_few_due", "a_key_that_fails_again_is_not_hurried_by_the_next_success"],
)
def a_success_makes_all_keys_due(right: Right, _alike: FailedAlike, succeeded: ParkedEvent) -> None:
    ParkedKey.objects.filter(group=succeeded.group).update(due_at=clock.now())


# --- dead letters --------------------------------------------------------------------------------------------------


@mistake(
    parking.dead_letter,
    breaks=Promise.NOTHING_LOST,
    noticed_by=["the_offset_waits_when_the_dead_letter_cannot_be_written"],
)
def a_dead_letter_that_cannot_be_written_is_dropped(right: Right, *given: Any, **named: Any) -> None:
    with suppress(Exception), transaction.atomic():
        right(*given, **named)


# --- the circuit breaker -------------------------------------------------------------------------------------------


@mistake(
    CircuitBreaker.reason,
    breaks=Promise.BREAKER,
    noticed_by=["more_than_half_is_most"],
)
def the_circuit_breaker_never_opens(right: Right, self: CircuitBreaker) -> str:
    return ""


@mistake(CircuitBreaker.failed, breaks=Promise.BREAKER, noticed_by=["events_that_came_too_early_do_not_close_it"])
def an_event_that_is_too_early_has_failed(
    right: Right, self: CircuitBreaker, record: Any, error: Any, **how: Any
) -> None:
    right(self, record, ValueError(str(error)) if isinstance(error, RetryLater) else error, **how)


@mistake(DueWork.probe, breaks=Promise.BREAKER, noticed_by=["a_poison_event_at_the_front_does_not_keep_it_open"])
def the_oldest_event_is_probed_for_ever(right: Right, self: DueWork) -> bool | None:
    self._breaker.probed_key = 0
    return right(self)


@mistake(parking.is_full, breaks=Promise.BREAKER, noticed_by=["it_closes_when_too_many_keys_are_parked"])
def keys_are_parked_without_a_limit(right: Right, group: str) -> bool:
    return False


# --- outages -------------------------------------------------------------------------------------------------------


@mistake(errors.is_outage, breaks=Promise.OUTAGE, noticed_by=["a_database_that_goes_away_counts_no_attempt"])
def an_outage_counts_as_an_attempt(right: Right, error: BaseException) -> bool:
    return False


@mistake(Suspicion.met, breaks=Promise.OUTAGE, noticed_by=["poison_side_by_side_holds_up_none_behind_it"])
def an_event_that_looks_like_an_outage_is_waited_for(right: Right, *given: Any, **named: Any) -> Verdict:
    return Verdict.EXCUSED
