"""A log that lost everything is noticed, and filled again from the outbox.

All offsets of a topic are of one log, whose name (`generation`) is kept beside them. When the brokers show another,
end before a place that they gave out, or give one twice, what the outbox still has of the topic is unsent again: the
relay appends it in order, every group begins at the new log's start, and the inboxes drop what was handled. What a
group had passed without a trace (events from before it began, or of a type that it did not know) is written into its
inbox first, as not handled, and counts as ignored: it must not be handled years later because a disk died. What was
lost for a group is not: it comes again, and is handled.
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
from eventbus.progress import groups, replay_runs
from eventbus.progress.inbox import LIVE
from eventbus.progress.log_generations import UNKNOWN, note
from eventbus.recovery.log_truncation import TruncationDetector

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0  # a log is not replaced faster than that: a broker starts for several
ROWS_AT_ONCE = 1_000  # of an INSERT; SQLite takes some 32,000 values


class Refilled(msgspec.Struct, frozen=True):
    """So many events of a topic are unsent again."""

    topic: str
    events: int


class LossDetector:
    """What the relay does before it appends. `fence` raises LeaseLost when it is no relay any more."""

    def __init__(self, backend: Backend, fence: Callable[[], None]) -> None:
        self._backend, self._fence = backend, fence
        self._looked = float("-inf")
        self._seen: set[str] = set()  # topics whose logs are known: nothing is appended to another
        self._there: set[str] = set()  # topics that the last look found
        self._unfinished: set[str] = set()  # that were to be filled again on brokers, and lie in the outbox now
        self._shrinking = TruncationDetector(backend)
        self._lost: Mapping[tuple[str, int], int] = {}  # what could not be written down yet

    def soon(self) -> None:
        """The next look is not put off: the brokers were away, or something was strange."""
        self._looked = float("-inf")
        self._shrinking.soon()

    def held(self, topics: set[str]) -> set[str]:
        """Those to which nothing may be appended yet. One that is not there is rejected by the brokers anyway."""
        return self._shrinking.held(topics & self._there)

    def lost(self, places: Mapping[tuple[str, int], int]) -> None:
        """These logs have lost what lay at these places and behind them: nobody reads on, and the next look fills them.

        Whatever they are called. It is written down, so that it outlives this process. Raises LeaseLost, DatabaseError:
        then the next look begins with it, for once the log has grown it gives no place twice any more.
        """
        self._looked = float("-inf")
        self._lost = places
        topics = {topic for topic, _ in places}
        cut = self._cut(topics)
        with transaction.atomic():
            self._fence()
            for topic in sorted(topics):
                note(topic, UNKNOWN)
            for row in Progress.objects.select_for_update().filter(topic__in=topics).order_by("id"):
                passed = row.offset
                if row.topic in cut:  # beyond, the group may have read what took the place of what it has not read
                    passed = max(row.start, min(passed, places.get((row.topic, row.partition), passed)))
                Progress.objects.filter(id=row.pk).update(epoch=F("epoch") + 1, offset=passed)
        self._lost = {}

    def _cut(self, topics: Collection[str]) -> set[str]:
        """Those whose log is still the one that was known: it has lost no more than its end, so nothing that is old."""
        try:
            there = self._backend.generations(topics)
        except LogUnavailable:
            return set()  # as a log that was made anew
        known = TopicLog.objects.filter(topic__in=topics).values_list("topic", "generation")
        return {topic for topic, generation in known if there.get(topic) == generation}

    def begin(self) -> list[Refilled]:
        """Before the first look: also whether each log ends before a place that it gave out. Raises as `look` does.

        Later `append` itself sees when a place is given twice (`LogTruncated`).
        """
        named = {one.topic for one in declared_events()}
        return self._look({topic for topic in named if outbox_offsets.given(topic)}, self._shrinking.at_once)

    def look(self, topics: Collection[str]) -> list[Refilled]:
        """Now and then: which logs are gone or lost their end, of these topics and of all that groups read.

        They wait to be appended. Raises LogUnavailable, LeaseLost, DatabaseError.
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
        if topics <= generations.keys():  # one that is missing may be made anew at any moment
            self._looked = time.monotonic()
        return found

    def _pin(self, topic: str, known: int | None) -> None:
        """Keys stay where they are placed; only in memory the setting says how many partitions there are."""
        if known is None or self._backend.topics is None:
            partitions = len(self._backend.partitions([topic]))
            if known is not None and partitions > known:
                groups.refuse_moved_keys(self._backend, topic)
            if partitions != known:
                outbox_offsets.pin(topic, partitions)

    def _adopt(self, topic: str, generation: str, log: TopicLog | None) -> None:
        """The outbox is the log: events lie there where they lay on the brokers, which lack what is told from now."""
        if log is not None and log.refill_to:
            self._unfinished.add(topic)
        if log is not None and log.generation == generation:
            return
        with transaction.atomic():
            self._fence()
            note(topic, generation)
            if log is not None:  # whoever still reads the brokers writes no more
                Progress.objects.filter(topic=topic).update(epoch=F("epoch") + 1)
        if log is not None:
            logger.warning(
                "The log of %s is the outbox from now on: what others wrote to the brokers is not read", topic
            )

    def _refill(self, topic: str, generation: str) -> Refilled:
        self._backend.reset()  # what it remembers is of the log that is gone, and what it sends comes no more
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
                    offset=begin,
                    epoch=F("epoch") + 1,
                    ignored=row.pruned_ignored + ignored[row.pk],
                    pruned_before=row.pruned,
                )
            _renumber(topic)
            replay_runs.end(topic, "The log was lost meanwhile, and filled again: begin another")
        return Refilled(topic, events)

    def _begins(self, topic: str) -> dict[int, int]:
        """By partition, where groups read on: behind all of ours, and behind what retention has taken."""
        first = self._backend.earliest_offsets(self._backend.partitions([topic]))
        strays = self._backend.strays(topic, self._fence)
        return {place.partition: max(begin, strays.get(place.partition, 0)) for place, begin in first.items()}

    def _tell(self, found: Refilled, *, new: bool) -> None:
        if new:  # the site ran on another log, such as in memory
            logger.warning("This log lacks %s of other logs: %s events are appended to it", found.topic, found.events)
        else:
            logger.error(
                "The log of %s was lost: %s events are appended again from the outbox", found.topic, found.events
            )

    def _refuse_other_partitions(self, topic: str) -> None:
        """A group's counts are by partition, and a key must come back to its own."""
        had = set(Progress.objects.filter(topic=topic).values_list("partition", flat=True))
        there = {place.partition for place in self._backend.partitions([topic])}
        if had and there != had:
            raise LogUnavailable(
                f"The log of {topic} was lost, and made anew with {len(there)} partitions where it had {len(had)}. "
                "Make it with as many as it had, and the outbox is appended again"
            )


def _sent(topic: str) -> QuerySet[OutboxRow]:
    return OutboxRow.objects.filter(topic=topic, offset__isnull=False)


def unsend(held: QuerySet[Progress], rows: QuerySet[OutboxRow], topic: str) -> tuple[int, dict[int, int]]:
    """Let the relay append these again, in the order of their ids; how many.

    And by progress row, how many of them the group has ignored, and will drop like what it has handled.
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
    """What the group has ignored without a trace is in its inbox from now on; what is lost for it may come again."""
    ignored = passed_events.ignored(progress, passed)
    found = list(ignored.values_list("event_id", "offset"))
    InboxRow.objects.bulk_create(
        (InboxRow(group=progress.group, event_id=event_id, replay=LIVE) for event_id, _ in found),
        batch_size=ROWS_AT_ONCE,
    )
    before_it_began = sum(offset is not None and offset < progress.start for _, offset in found)
    Progress.objects.filter(id=progress.pk).update(ignored=F("ignored") + before_it_began)


def _renumber(topic: str) -> None:
    """What waits lies before all that comes, and in the same order: the new log begins at 0 again.

    A key's parked events are appended again before any later one of it, which so lies behind as many at least.
    """
    for key in ParkedKey.objects.filter(topic=topic):
        for number, event in enumerate(key.events.order_by("offset", "id"), start=1):
            ParkedEvent.objects.filter(id=event.pk).update(offset=number)
    DeadLetter.objects.filter(topic=topic).update(offset=0)
