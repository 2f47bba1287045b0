"""Detect that a log lost something, and fill it again from the outbox.

All offsets of a topic are of one log, whose id (`generation`) is stored beside them. There are three signs of a loss.
The brokers show another log, the log ends before an offset that it gave out, or it gives an offset twice. Then the
topic's rows in the outbox become unsent, and the relay appends them in order. Every group begins at the new log's
start, and the inboxes drop repeats. A group may have passed events without an inbox row: from before it began, or of a
type that it did not know. These are first written into its inbox as ignored. Otherwise the group would handle them now,
perhaps years later. Events that were lost for a group come again, and are handled.
"""

import logging
import time
from collections.abc import Callable, Collection, Mapping

import msgspec
from django.db import transaction
from django.db.models import F, Max, QuerySet

from eventbus import failpoints
from eventbus.audit import passed_events
from eventbus.backends import outbox_offsets
from eventbus.backends.base import IN_MEMORY, Backend
from eventbus.errors import LogUnavailable
from eventbus.events import declared_events
from eventbus.models import (
    DeadLetter,
    InboxRow,
    OutboxRow,
    ParkedEvent,
    ParkedKey,
    Progress,
    TopicLog,
)
from eventbus.progress import group_starts, replay_runs
from eventbus.progress.inbox import LIVE
from eventbus.progress.log_generations import UNKNOWN, note
from eventbus.recovery.log_truncation import TruncationDetector

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0  # between two checks: a broker takes several seconds to start, so no log is replaced faster
ROWS_AT_ONCE = 1_000  # per INSERT; SQLite takes some 32,000 values


class Refilled(msgspec.Struct, frozen=True):
    """A topic, and how many of its events are unsent again."""

    topic: str
    events: int


class LossDetector:
    """Check the logs before the relay appends. `fence` raises LeaseLost if this process is no longer the relay."""

    def __init__(self, backend: Backend, fence: Callable[[], None]) -> None:
        self._backend, self._fence = backend, fence
        self._looked = float("-inf")
        self._seen: set[str] = set()  # topics whose logs were checked: nothing is appended to others
        self._there: set[str] = set()  # topics that the backend had at the last check
        self._unfinished: set[str] = set()  # topics whose log on the brokers was to be filled, and is the outbox now
        self._shrinking = TruncationDetector(backend)
        self._lost: Mapping[tuple[str, int], int] = {}  # the losses that `lost` could not store yet

    def soon(self) -> None:
        """Let the next `look` check the logs at once. Called when the brokers were unavailable."""
        self._looked = float("-inf")
        self._shrinking.soon()

    def held(self, topics: set[str]) -> set[str]:
        """Return those of these topics to which nothing may be appended yet.

        A topic that the brokers lack is not among them: they reject its records anyway.
        """
        return self._shrinking.held(topics & self._there)

    def lost(self, offsets: Mapping[tuple[str, int], int]) -> None:
        """Store that logs lost all records from some offsets on.

        Groups stop reading, and the next `look` fills the logs. `offsets`: the first lost offset, by (topic,
        partition). What is stored outlives this process. Raises LeaseLost, DatabaseError: then the next `look` stores
        it first. It must not be forgotten, since a log that has grown no longer gives an offset twice.
        """
        self._looked = float("-inf")
        self._lost = offsets
        topics = {topic for topic, _ in offsets}
        cut = self._cut(topics)
        with transaction.atomic():
            self._fence()
            for topic in sorted(topics):
                note(topic, UNKNOWN)
            for row in Progress.objects.select_for_update().filter(topic__in=topics).order_by("id"):
                passed = row.offset
                if row.topic in cut:  # beyond the first lost offset it may have read records that replaced unread ones
                    passed = max(row.start, min(passed, offsets.get((row.topic, row.partition), passed)))
                Progress.objects.filter(id=row.pk).update(epoch=F("epoch") + 1, offset=passed)
        self._lost = {}

    def _cut(self, topics: Collection[str]) -> set[str]:
        """Return those of these topics whose log is still the known one.

        It lost only its end, and still has all older records.
        """
        try:
            there = self._backend.generations(topics)
        except LogUnavailable:
            return set()  # treated as a log that was made anew
        known = TopicLog.objects.filter(topic__in=topics).values_list("topic", "generation")
        return {topic for topic, generation in known if there.get(topic) == generation}

    def begin(self) -> list[Refilled]:
        """Run `look` at once, and compare each log's end with the offsets that it gave out. Raises as `look` does.

        Later, the backend's `append` notices an offset that is given twice (`LogTruncated`).
        """
        named = {one.topic for one in declared_events()}
        return self._look({topic for topic in named if outbox_offsets.given(topic)}, self._shrinking.at_once)

    def look(self, topics: Collection[str]) -> list[Refilled]:
        """Find logs that were recreated or lost their end, make their outbox rows unsent, and return their topics.

        Looks at these topics and at all that groups read, once in LOOK_SECONDS. Raises LogUnavailable, LeaseLost,
        DatabaseError.
        """
        if self._lost:
            self.lost(self._lost)
        if self._unfinished:
            with transaction.atomic():
                self._fence()
                self._unfinished = outbox_offsets.finish(self._unfinished)
        lately = self._backend.topics is None or time.monotonic() - self._looked < LOOK_SECONDS
        return [] if lately and self._seen >= set(topics) else self._look(topics, self._shrinking.found)

    def _look(self, more: Collection[str], short_of: Callable[[Collection[str]], set[str]]) -> list[Refilled]:
        logs = {log.topic: log for log in TopicLog.objects.all()}
        known = {topic: log.generation for topic, log in logs.items()}
        lost = (topic for topic, generation in known.items() if generation == UNKNOWN)
        topics = {
            *more,
            *lost,
            *self._shrinking.suspected,
            *Progress.objects.order_by().values_list("topic", flat=True).distinct(),
        }
        generations = self._backend.generations(topics)
        self._there = set(generations)
        short = short_of([topic for topic, log in generations.items() if known.get(topic, log) == log])
        found = []
        for topic, generation in generations.items():
            if self._backend.topics is None:
                self._adopt(topic, generation, logs.get(topic))
            elif known.get(topic, generation) != generation or topic in short:
                found.append(self._refill(topic, generation))
                self._tell(found[-1], new=known.get(topic) in (None, IN_MEMORY))
            elif topic not in known:
                note(topic, generation)
            self._pin(topic, logs[topic].partitions if topic in logs else None)
        self._seen |= generations.keys()
        if topics <= generations.keys():  # a missing topic may be created at any moment: check again at once
            self._looked = time.monotonic()
        return found

    def _pin(self, topic: str, known: int | None) -> None:
        """Store the topic's number of partitions, so that keys stay in theirs.

        In memory a setting decides this number. On brokers it is stored when the site first uses the topic.
        """
        if known is None or self._backend.topics is None:
            partitions = len(self._backend.partitions([topic]))
            if known is not None and partitions > known:
                group_starts.refuse_moved_keys(self._backend, topic)
            if partitions != known:
                outbox_offsets.pin(topic, partitions)

    def _adopt(self, topic: str, generation: str, log: TopicLog | None) -> None:
        """Make the outbox the topic's log. Its events keep the offsets that they had on the brokers.

        The brokers' log will lack all later events.
        """
        if log is not None and log.refill_to:
            self._unfinished.add(topic)
        if log is not None and log.generation == generation:
            return
        with transaction.atomic():
            self._fence()
            note(topic, generation)
            if log is not None:  # workers that still read the brokers write no more
                Progress.objects.filter(topic=topic).update(epoch=F("epoch") + 1)
        if log is not None:
            logger.warning(
                "The log of %s is the outbox from now on: what others wrote to the brokers is not read", topic
            )

    def _refill(self, topic: str, generation: str) -> Refilled:
        self._backend.reset()  # what it has cached, and what it is sending, belongs to the lost log
        self._shrinking.forget(topic)
        self._refuse_other_partitions(topic)
        begins = self._begins(topic)
        with failpoints.atomic("refill"):
            self._fence()
            held = Progress.objects.select_for_update().filter(topic=topic).order_by("id")
            note(topic, generation)
            events, ignored = unsend(held, _sent(topic), topic)
            for row in held:
                begin = begins.get(row.partition, 0)
                Progress.objects.filter(id=row.pk).update(
                    start=begin,
                    log_began=0,
                    offset=begin,
                    epoch=F("epoch") + 1,
                    ignored=row.pruned_ignored + ignored[row.pk],
                    pruned_before=row.pruned,
                )
            _renumber(topic)
            replay_runs.end(topic, "The log was lost meanwhile, and filled again: begin another")
        return Refilled(topic, events)

    def _begins(self, topic: str) -> dict[int, int]:
        """Return by partition the offset at which groups read on in the new log.

        It is after all records of this site that are in the log already, and after those that retention deleted.
        """
        first = self._backend.earliest_offsets(self._backend.partitions([topic]))
        strays = self._backend.strays(topic, self._fence)
        return {one.partition: max(begin, strays.get(one.partition, 0)) for one, begin in first.items()}

    def _tell(self, found: Refilled, *, new: bool) -> None:
        if new:  # the site ran on another log, such as in memory
            logger.warning(
                "Topic %s is on a log that this site has not used before: %s events of the outbox are appended to it",
                found.topic,
                found.events,
            )
        else:
            logger.error(
                "The log of %s was lost: %s events are appended again from the outbox", found.topic, found.events
            )

    def _refuse_other_partitions(self, topic: str) -> None:
        """Raise LogUnavailable if the new log has other partitions than the groups' progress.

        A group's counts are stored by partition, and a key must keep its own.
        """
        had = set(Progress.objects.filter(topic=topic).values_list("partition", flat=True))
        there = {one.partition for one in self._backend.partitions([topic])}
        if had and there != had:
            raise LogUnavailable(
                f"The log of {topic} was lost, and made anew with {len(there)} partitions where it had {len(had)}. "
                "Make it with as many as it had, and the outbox is appended again"
            )


def _sent(topic: str) -> QuerySet[OutboxRow]:
    return OutboxRow.objects.filter(topic=topic, offset__isnull=False)


def unsend(held: QuerySet[Progress], rows: QuerySet[OutboxRow], topic: str) -> tuple[int, dict[int, int]]:
    """Let the relay append these outbox rows of a topic again, in the order of their ids. Return their number.

    `held`: the topic's progress rows, which are locked. Also return, by id of the progress row, how many of the events
    the inbox holds as ignored. The group drops these like handled ones.
    """
    ignored = {}
    earlier = passed_events.noted_unsent(topic, {one.group for one in held}, len({one.partition for one in held}))
    for progress in held:
        here = rows.filter(partition=progress.partition)
        _remember(progress, here.filter(offset__lt=progress.offset))
        noted = InboxRow.objects.filter(group=progress.group, replay=LIVE, handled_at=None)
        ignored[progress.pk] = here.filter(event_id__in=noted.values("event_id")).count()
        ignored[progress.pk] += earlier[progress.group, progress.partition]
    failpoints.hit("refill.passed")
    last = rows.aggregate(last=Max("id"))["last"] or 0
    TopicLog.objects.filter(topic=topic, refill_to__lt=last).update(refill_to=last)
    return rows.update(partition=None, offset=None, appended_at=None), ignored


def _remember(progress: Progress, passed: QuerySet[OutboxRow]) -> None:
    """Write the events that the group ignored without an inbox row into its inbox.

    Leave lost ones out: they may come again.
    """
    ignored = passed_events.ignored(progress, passed)
    found = list(ignored.values_list("event_id", "offset"))
    InboxRow.objects.bulk_create(
        (InboxRow(group=progress.group, event_id=event_id, replay=LIVE) for event_id, _ in found),
        batch_size=ROWS_AT_ONCE,
    )
    before_it_began = sum(offset is not None and offset < progress.start for _, offset in found)
    Progress.objects.filter(id=progress.pk).update(ignored=F("ignored") + before_it_began)


def _renumber(topic: str) -> None:
    """Give parked and dead events low offsets in the same order, before all records of the new log, which begins at 0.

    A key's parked events are appended again before its later ones. So n parked events get the offsets 1 to n, and a
    later event has an offset of at least n.
    """
    for key in ParkedKey.objects.filter(topic=topic):
        for number, event in enumerate(key.events.order_by("offset", "id"), start=1):
            ParkedEvent.objects.filter(id=event.pk).update(offset=number)
    DeadLetter.objects.filter(topic=topic).update(offset=0)
