"""Running one group's handlers for records, in transactions that no one can half keep."""

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import ParamSpec, TypeVar
from uuid import UUID

from django.conf import settings
from django.db import close_old_connections, connection, reset_queries
from django.utils import translation

from eventbus import effects, failpoints, groups, inbox, parking
from eventbus.backends.base import TopicPartition
from eventbus.errors import CrashedRepeatedly, is_contention, is_nobodys_fault
from eventbus.events import Record, handling
from eventbus.models import Effect, ParkedEvent, ParkedKey, Progress
from eventbus.registry import Group

CONTENTION_PAUSE_SECONDS = 0.05  # full jitter below this: two writers that met do not meet again at once

Failure = Callable[[Record, BaseException], None]
Note = Callable[[], None]  # records the answers of an effect


P = ParamSpec("P")
R = TypeVar("R")


class Patience:
    """Run something again while it only met another writer: contention is no failure and is never counted.

    It ends when the worker is asked to leave: then the contention is raised.
    """

    def __init__(self, stop: threading.Event) -> None:
        self._stop = stop

    def __call__(self, run: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> R:
        while True:
            try:
                return run(*arguments, **named)
            except Exception as error:
                if not is_contention(error) or self._stop.is_set():
                    raise
            self._stop.wait(random.uniform(0, CONTENTION_PAUSE_SECONDS))


@contextmanager
def unit_of_work() -> Iterator[None]:
    """What a request gets from Django, for a piece of work: live connections, the site's language, no old queries."""
    _refresh()
    with translation.override(settings.LANGUAGE_CODE):
        yield
    _refresh()


def _refresh() -> None:
    if not connection.in_atomic_block:  # inside a test's transaction the connection is in use
        close_old_connections()
    reset_queries()


class Handling:
    """How a group handles records of the partitions that it owns, under the epochs of its assignment."""

    def __init__(
        self, group: Group, epochs: dict[TopicPartition, int], on_failure: Failure, patiently: Patience
    ) -> None:
        self.group = group
        self.epochs = epochs
        self._on_failure = on_failure
        self._patiently = patiently
        # Effects that this process has claimed, with the answer once there is one: a broken world between asking and
        # recording must not ask twice, and is not a death.
        self._claimed: dict[UUID, Note | None] = {}

    def batch(self, partition: TopicPartition, records: Sequence[Record]) -> None:
        """All in one transaction; it raises the first handler's error, and then nothing of it has happened."""
        with failpoints.atomic("handle.batch"):
            progress = self._lock(partition)
            fresh = self._sort(progress, records)
            for record in fresh:
                self._call(record)
            self._finish(progress, records, fresh)

    def single(self, partition: TopicPartition, record: Record) -> None:
        """One in a transaction of its own, its attempt written before. A failure parks its key."""
        self._patiently(self._begin, partition, record)
        try:
            note = self._ask(partition, record)
            self._patiently(self._one, partition, record, note)
            self._claimed.pop(record.event_id, None)
        except Exception as error:
            if is_nobodys_fault(error):
                raise
            self._on_failure(record, error)
            self._patiently(self._park, partition, record, error)

    def _begin(self, partition: TopicPartition, record: Record) -> None:
        with failpoints.atomic("handle.begin"):
            progress = self._lock(partition)
            if progress.running_event == record.event_id:
                progress.crashes += 1  # begun before and never ended; deaths before its turn say nothing of it
            else:
                progress.running_event, progress.crashes = record.event_id, 0
            progress.save()

    def _one(self, partition: TopicPartition, record: Record, note: Note | None) -> None:
        with failpoints.atomic("handle.single"):
            progress = self._lock(partition)
            fresh = self._sort(progress, [record])
            if fresh:
                if progress.crashes >= effects.CRASHES_MAX:
                    raise CrashedRepeatedly(f"The process died {progress.crashes} times while it handled this event")
                self._act(record, note)
            self._finish(progress, [record], fresh)

    def _ask(self, partition: TopicPartition, record: Record, *, parked: bool = False) -> Note | None:
        """For an effect: claim it and ask, before the transaction that records the answer. Never asked twice."""
        if not self.group.effects or not self.group.of(record):
            return None
        if not self._patiently(self._claim, partition, record, parked):
            return None
        note = self._claimed.get(record.event_id)
        if note is None:
            failpoints.hit("effect.ask")
            with handling(record):
                note = self._claimed[record.event_id] = effects.ask(self.group, record)
            failpoints.hit("effect.answered")
        return note

    def _claim(self, partition: TopicPartition, record: Record, parked: bool) -> bool:
        with failpoints.atomic("effect.claim"):
            progress = self._lock(partition)
            if not parked and (record.position < progress.position or not self._is_fresh(record)):
                return False
            effects.claim(self.group, record, ours=record.event_id in self._claimed)
        self._claimed.setdefault(record.event_id, None)
        return True

    def _is_fresh(self, record: Record) -> bool:
        name = self.group.name
        return not (inbox.known(name, [record.event_id]) or parking.parked_keys(name, record.topic, {record.key}))

    def _park(self, partition: TopicPartition, record: Record, error: BaseException) -> None:
        with failpoints.atomic("handle.park"):
            progress = self._lock(partition)
            if record.position < progress.position:
                return
            self._unclaim(record)
            parking.park(self.group, record, error, attempts=1)
            self._finish(progress, [record], [])

    def _unclaim(self, record: Record) -> None:
        """An attempt failed: an effect may be asked for again, unless it has happened and only its answer is lost."""
        if self.group.effects and self._claimed.get(record.event_id) is None:
            effects.close(self.group, record, Effect.State.FAILED)
            self._claimed.pop(record.event_id, None)

    def _lock(self, partition: TopicPartition) -> Progress:
        return groups.lock(self.group, partition, self.epochs[partition])

    def _sort(self, progress: Progress, records: Sequence[Record]) -> list[Record]:
        """Those to handle now. Repeats are dropped; what nobody here knows is counted; parked keys' events wait."""
        ahead = [record for record in records if record.position >= progress.position]
        seen = inbox.known(self.group.name, [record.event_id for record in ahead])
        parked = parking.parked_keys(self.group.name, progress.topic, {record.key for record in ahead})
        fresh: list[Record] = []
        for record in ahead:
            if record.event_id in seen:
                continue
            if not self.group.of(record):
                progress.ignored += 1
                continue
            seen.add(record.event_id)
            if record.key in parked:
                parking.wait_behind(parked[record.key], record)
            else:
                fresh.append(record)
        return fresh

    def _finish(self, progress: Progress, records: Sequence[Record], handled: Sequence[Record]) -> None:
        inbox.note(self.group.name, [record.event_id for record in handled])
        failpoints.hit("progress")
        progress.position = max(progress.position, records[-1].position + 1)
        progress.handled += len(handled)
        progress.running_event, progress.crashes = None, 0
        progress.save()

    def _call(self, record: Record) -> None:
        failpoints.hit("handler.call")
        with handling(record):
            self.group.call(record)
        failpoints.hit("handler.done")

    def _act(self, record: Record, note: Note | None) -> None:
        failpoints.hit("handler.call")
        with handling(record):
            if note is None:
                self.group.call(record)
            else:
                note()
        failpoints.hit("handler.done")

    # --- parked keys -----------------------------------------------------------------------------------------------

    def retry(self, key_id: int, partition: TopicPartition) -> bool:
        """Try a parked key's head once. Whether it succeeded, so that the next may follow."""
        if not self._patiently(self._begin_retry, key_id, partition):
            return False
        try:
            return self._retry(key_id, partition)
        except Exception as error:
            if is_nobodys_fault(error):
                raise
            self._patiently(self._retry_failed, key_id, partition, error)
            return False

    def _begin_retry(self, key_id: int, partition: TopicPartition) -> bool:
        with failpoints.atomic("retry.begin"):
            self._lock(partition)
            return bool(ParkedKey.objects.filter(id=key_id, state=ParkedKey.State.RETRYING).update(running=True))

    def _retry(self, key_id: int, partition: TopicPartition) -> bool:
        key = ParkedKey.objects.get(id=key_id)
        head = key.events.first()
        if head is None:
            key.delete()
            return False
        record = parking.record_of(head)
        known = bool(self.group.of(record))
        if known and key.crashes >= effects.CRASHES_MAX:
            raise CrashedRepeatedly(f"The process died {key.crashes} times while it handled this event")
        note = self._ask(partition, record, parked=True)
        self._patiently(self._drain, key_id, head.id, partition, note)
        self._claimed.pop(record.event_id, None)
        return True

    def _drain(self, key_id: int, head_id: int, partition: TopicPartition, note: Note | None) -> None:
        """Handle a head and let the next come up. What nobody here knows any more is let go and counted."""
        with failpoints.atomic("retry.drain"):
            progress = self._lock(partition)
            key, head = ParkedKey.objects.get(id=key_id), ParkedEvent.objects.get(id=head_id)
            record = parking.record_of(head)
            if self.group.of(record):
                self._act(record, note)
                inbox.note(self.group.name, [record.event_id])
                progress.handled += 1
            else:
                progress.ignored += 1
            progress.save()
            failpoints.hit("drained")
            head.delete()
            parking.go_on(key)

    def _retry_failed(self, key_id: int, partition: TopicPartition, error: BaseException) -> None:
        with failpoints.atomic("retry.failed"):
            self._lock(partition)
            key = ParkedKey.objects.filter(id=key_id, running=True).first()
            if key is None:
                return  # it failed after its commit: the head is handled, and the next one is not to blame
            head = key.events.all()[0]
            record = parking.record_of(head)
            self._on_failure(record, error)
            self._unclaim(record)
            attempts, policy = key.attempts + 1, self.group.policy(record)
            if policy.gives_up(error, attempts):
                parking.bury_head(self.group, key, head, error, attempts=attempts)
            else:
                parking.postpone(key, policy, error, attempts=attempts)
