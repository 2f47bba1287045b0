"""Mistakes with time: a group that should stand still or leave, a handler without an end, a death in a batch."""

import threading
from typing import Any

from eventbus.consuming.worker import Worker
from eventbus.models import Progress
from eventbus.operations import standstill
from eventbus.progress import groups
from tests.simulation.mistakes.mistake import Promise, Right, mistake

A_DAY_SECONDS = 86_400.0


@mistake(
    groups.lock_progress,
    breaks=Promise.VISIBLE,
    noticed_by=["a_pause_in_the_middle_lets_what_is_in_hand_finish_and_no_more"],
)
def a_pause_is_seen_when_nothing_is_left_to_do(right: Right, *given: Any, unless: str = "") -> Progress:
    return right(*given)


@mistake(
    Worker._one_by_one,
    breaks=Promise.DEPLOYS,
    noticed_by=["a_worker_asked_to_leave_finishes_what_is_in_hand_and_no_more"],
)
def a_worker_that_is_to_leave_finishes_its_batch(right: Right, self: Worker, *given: Any, **named: Any) -> int:
    stop, self._stop = self._stop, threading.Event()
    try:
        return right(self, *given, **named)
    finally:
        self._stop = stop


@mistake(
    standstill.standing,
    breaks=Promise.VISIBLE,
    noticed_by=["a_group_that_does_not_move_is_named_with_how_long_it_has_stood"],
)
def no_group_stands(right: Right, progress: Any, *more: Any) -> list[Any]:
    return []
