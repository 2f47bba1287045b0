"""Faults planted in a run's site, to see that the sweep sees them. Each is a mistake that somebody could make."""

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import transaction

from eventbus.backends.base import TopicPartition
from eventbus.consuming.batch import BatchRunner
from eventbus.events import Record
from eventbus.failures import effects
from eventbus.models import ConsumerGroup, OperatorAction
from eventbus.operations import pausing
from eventbus.progress import inbox
from mcommerce.payment.providers.sandbox import Sandbox


@dataclass(frozen=True)
class Sabotage:
    """What is planted, the point at which it shows, in one of its first passes, and the verdict's words for it."""

    plant: Callable[[], None]
    point: str
    told: str


def forget_the_inbox() -> None:
    def note(group: str, event_ids: Iterable[UUID]) -> None: ...

    inbox.note = note


def store_progress_before_handling() -> None:
    def one(
        self: BatchRunner, partition: TopicPartition, records: Any, note: Any, *, unless: str, closes: bool
    ) -> list[Record]:
        with transaction.atomic():
            progress = self._owned.lock(partition)
            is_fresh = self._sorting(progress, records)
            fresh = [record for record in records if is_fresh(record)]
            self._finish(progress, records, fresh)
        with transaction.atomic():
            for record in fresh:
                self._owned.act(record, note)
        return fresh

    BatchRunner._one = one  # type: ignore[method-assign]


def ask_without_a_key() -> None:
    call = Sandbox._call

    def keyless(self: Sandbox, *asked: Any, key: str = "", **named: Any) -> Any:
        return call(self, *asked, key=key and secrets.token_hex(), **named)

    Sandbox._call = keyless  # type: ignore[method-assign]


def send_without_a_claim() -> None:
    def claim(group: Any, record: Record, **named: Any) -> None: ...

    effects.claim = claim


def note_a_pause_afterwards() -> None:
    pause, note = pausing.pause, pausing._note

    def late(group: ConsumerGroup, who: str) -> None:
        pausing._note = lambda *noted: None
        pause(group, who)
        pausing._note = note
        note(OperatorAction.Action.PAUSE, group, who)

    pausing.pause = late


def set_aside_after_one_death() -> None:
    effects.CRASHES_MAX = 1


SABOTAGES = {
    "the inbox is forgotten": Sabotage(forget_the_inbox, "append", "does not balance"),
    "progress is stored before handling": Sabotage(store_progress_before_handling, "handler.done", "eaten"),
    "a session is opened without a key": Sabotage(ask_without_a_key, "payment.opened", "sessions of them"),
    "a mail is sent without a claim": Sabotage(send_without_a_claim, "effect.answered", "got the mails"),
    "an effect is set aside after one death": Sabotage(
        set_aside_after_one_death, "payment.refunded", "dead letters are left"
    ),
    "a pause is noted after its commit": Sabotage(note_a_pause_afterwards, "pause.committed", "the trail says"),
}
