"""Select the past events that a replay would handle again, and find how far back the outbox reaches."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import or_
from uuid import UUID

import msgspec
from django.db.models import Count, Q, QuerySet

from eventbus.backends.base import TopicPartition
from eventbus.errors import BusError
from eventbus.models import DeadLetter, OutboxRow, ParkedEvent, Progress
from eventbus.registry import Group

Spans = dict[TopicPartition, tuple[int, int]]  # the next offset and the end, by partition


class ReplayRefused(BusError):
    """Nothing was replayed; the text says why."""


@dataclass(frozen=True, kw_only=True)
class ReplayFilter:
    """The past events of a group to replay.

    All given conditions apply: topics, `since` <= published < `until`, `key`, `event_id` (one single event),
    `partitions`, and the first `offset` in each of them. Raises ReplayRefused when a handler of these topics is not
    replayable.
    """

    group: Group
    topics: Collection[str]
    since: datetime | None = None
    until: datetime | None = None
    key: str = ""
    event_id: UUID | None = None
    partitions: Collection[TopicPartition] | None = None
    offset: int = 0

    def __post_init__(self) -> None:
        here = [handler for handler in self.group.all() if handler.event_type.topic in self.topics]
        once = {handler.event_type for handler in here if not handler.replayable}
        if once:
            raise ReplayRefused(
                f"Group {self.group.name} cannot be replayed: what it does about "
                f"{', '.join(sorted(event_type.wire_type() for event_type in once))} may happen only once. Only "
                f"projections that compare versions are declared replayable. {self._remedy()}"
            )

    def _remedy(self) -> str:
        again = {one.event_type.topic for one in self.group.all()}
        again -= {one.event_type.topic for one in self.group.all() if not one.replayable}
        return f"Name a topic of those: --topic {' or '.join(sorted(again))}." if again else "This group has none."

    def spans(self) -> Spans:
        """Return, by partition, the span of offsets that the group has passed by now."""
        passed = Progress.objects.filter(group=self.group.name, topic__in=self.topics).order_by("topic", "partition")
        ends = {TopicPartition(row.topic, row.partition): row.offset for row in passed}
        return {
            one: (min(self.offset, end), end)
            for one, end in ends.items()
            if self.partitions is None or one in self.partitions
        }

    def events(self, spans: Spans) -> QuerySet[OutboxRow]:
        """Return the selected events in these spans, in no order."""
        between = (
            Q(topic=one.topic, partition=one.partition, offset__gte=begin, offset__lt=end)
            for one, (begin, end) in spans.items()
        )
        rows = OutboxRow.objects.filter(reduce(or_, between, Q(pk__in=[])), type__in=list(self.group.handlers))
        limits = {
            "created_at__gte": self.since,
            "created_at__lt": self.until,
            "key": self.key or None,
            "event_id": self.event_id,
        }
        return rows.filter(**{name: value for name, value in limits.items() if value is not None})


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """The size of a replay, and how far back the outbox reaches.

    `types`: the number of events to handle, by type. `left_out`: the number of events that are parked or dead. `whole`:
    nothing was pruned. `reaches_back_to`: if events were pruned, when the oldest one left was published; else None.
    """

    types: dict[str, int]
    left_out: int
    whole: bool
    reaches_back_to: datetime | None

    @property
    def matched(self) -> int:
        """The number of all events that match, to be handled or left out."""
        return sum(self.types.values()) + self.left_out

    @property
    def reach(self) -> str:
        """A sentence that says how far back the log reaches; empty if nothing was pruned."""
        if self.whole:
            return ""
        oldest = self.reaches_back_to
        since = f"only to {oldest:%Y-%m-%d %H:%M:%S} UTC" if oldest else "to no event at all"
        return f"The log reaches back {since}: what was pruned cannot be replayed."


def count(wanted: ReplayFilter, spans: Spans | None = None) -> Preview:
    """Return the preview of a replay of these `spans`, and write nothing.

    Without `spans` it is of all that the group has passed by now.
    """
    spans = wanted.spans() if spans is None else spans
    events = wanted.events(spans)
    aside = set_aside(wanted.group)
    types = events.exclude(aside).order_by("type").values_list("type").annotate(count=Count("id"))
    whole, oldest = reach_of(spans)
    return Preview(types=dict(types), left_out=events.filter(aside).count(), whole=whole, reaches_back_to=oldest)


def set_aside(group: Group) -> Q:
    """Return the filter for events that the group has parked or dead, and that its replays leave out."""
    parked = Q(event_id__in=ParkedEvent.objects.filter(group=group.name).values("event_id"))
    return parked | Q(event_id__in=DeadLetter.objects.filter(group=group.name).values("event_id"))


def reach_of(spans: Spans) -> tuple[bool, datetime | None]:
    """Return True if no event of these spans was pruned; else False, and when the oldest event left was published.

    Parked and dead events do not count as left: pruning keeps them, even if it deletes later ones.
    """
    waiting = ParkedEvent.objects.values("event_id")
    dead = DeadLetter.objects.filter(state=DeadLetter.State.OPEN).values("event_id")
    whole = True
    oldest: list[datetime] = []
    for one, (_, end) in spans.items():
        rows = OutboxRow.objects.filter(topic=one.topic, partition=one.partition, offset__lt=end)
        if rows.count() < end:
            whole = False
        free = rows.exclude(event_id__in=waiting).exclude(event_id__in=dead).order_by("offset")
        oldest += free.values_list("created_at", flat=True)[:1]
    return whole, None if whole else min(oldest, default=None)
