"""Mistakes with what handlers do outside the database."""

import copy
from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import uuid4

from django.db import transaction

from eventbus import clock
from eventbus.errors import CrashedRepeatedly
from eventbus.failures import effects
from eventbus.models import Effect
from tests.simulation.mistakes.mistake import Promise, Right, mistake


@mistake(effects.ask, breaks=Promise.EFFECTS, noticed_by=["an_effect_happens_once_and_its_answer_is_recorded"])
def a_service_is_called_in_a_transaction(right: Right, *given: Any) -> Any:
    with transaction.atomic():
        return right(*given)


@mistake(
    effects.claim,
    breaks=Promise.EFFECTS,
    noticed_by=["an_effect_in_doubt_is_asked_again_with_the_same_key_or_never"],
)
def a_service_is_called_without_a_claim(right: Right, *given: Any, **named: Any) -> datetime:
    return clock.now()


@mistake(
    effects.ask,
    breaks=Promise.EFFECTS,
    noticed_by=["an_effect_in_doubt_is_asked_again_with_the_same_key_or_never"],
)
def each_attempt_has_another_idempotency_key(right: Right, group: Any, record: Any) -> Callable[[], None]:
    renamed = copy.copy(group)
    renamed.name = f"{group.name}:{uuid4()}"
    note = right(renamed, record)

    def noted() -> None:
        note()
        effects.close(group, record, Effect.State.DONE)

    return noted


@mistake(
    effects.refuse_deadly,
    breaks=Promise.EFFECTS,
    noticed_by=["however_often_the_process_died_a_doubt_is_called_one"],
)
def an_effect_in_doubt_may_be_requeued_without_a_check(right: Right, group: Any, record: Any, crashes: int) -> None:
    if crashes >= effects.CRASHES_MAX:
        raise CrashedRepeatedly(f"The process died {crashes} times")


@mistake(effects.refuse_deadly, breaks=Promise.OUTAGE, noticed_by=["an_event_that_outlives_two_deaths_is_handled"])
def an_event_is_set_aside_after_one_death(right: Right, group: Any, record: Any, crashes: int) -> None:
    right(group, record, crashes and effects.CRASHES_MAX)
