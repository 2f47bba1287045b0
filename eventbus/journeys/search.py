"""Find events by their id, key, correlation id or trace id.

The outbox has no index for this, since each index costs every publisher. The search uses what it has:

- An id of version 7 contains its time, and ids of the outbox grow with time. Halving finds the rows of that time.
- The events of a partition have an index by offset. Only topics that can have such a key are read, the newest first.
"""

from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Max, Min, Q, QuerySet
from msgspec import structs

from eventbus import clock, ids
from eventbus.events import KEY_SEPARATOR, Event, declared_events
from eventbus.models import ConsumerGroup, DeadLetter, OutboxRow, ParkedEvent, Timer

EVENTS_MAX = 500  # of one journey: the newest. A page with more is not read
KEYS_MAX = 20  # of one journey: whoever means others writes more of a name
AROUND = timedelta(minutes=1)  # of an id's time: machines' clocks differ by less, and transactions take less
REQUEST_ROWS = 10_000  # after that time, in which the other events of a request are looked for


def identity(text: str) -> UUID | None:
    """Return the id that a text is: a UUID, or the trace id of a `traceparent`. None for any other text."""
    text = text.strip()
    if text.startswith("00-") and text.count("-") == 3:
        text = text.split("-")[1]
    try:
        return UUID(text)
    except ValueError:
        return None


def events_of(keys: Iterable[str]) -> list[OutboxRow]:
    """Return the newest EVENTS_MAX events with these keys, in the order of their publishing.

    Only the first KEYS_MAX keys count.
    """
    known = [ids.text(one) if (one := identity(key)) else key for key in list(keys)[:KEYS_MAX]]
    found = {row.pk: row for rows in _by_keys(known) for row in rows}
    return [found[number] for number in sorted(found)[-EVENTS_MAX:]]


def events_of_request(one: UUID) -> list[OutboxRow]:
    """Return the event with this id, and the events with this correlation id or trace id.

    They are looked for around the time in the id, and among REQUEST_ROWS events after it. An id without a time finds
    none.
    """
    at = _made_at(one)
    if at is None:
        return []
    first, last = (_first_row(OutboxRow.objects.all(), "id", edge) for edge in (at - AROUND, at + AROUND))
    rows = OutboxRow.objects.filter(Q(event_id=one) | _of_request(one), id__gte=first, id__lt=last + REQUEST_ROWS)
    return list(rows.order_by("id")[:EVENTS_MAX])


def key_of(one: UUID) -> str:
    """Return the key of a delayed, parked or dead event with this id; "" if there is none.

    A delayed event has the id of the time when it was asked for. In the outbox it lies much later.
    """
    by_group = {"group__in": ConsumerGroup.objects.values("name"), "event_id": one}
    for rows in (
        Timer.objects.filter(event_id=one),
        *(kind.objects.filter(**by_group) for kind in (ParkedEvent, DeadLetter)),
    ):
        if (key := rows.values_list("key", flat=True).first()) is not None:
            return str(key)
    return ""


def timers_of(keys: Iterable[str]) -> "QuerySet[Timer]":
    """Return the events with these keys that are to be published later, the next first."""
    return Timer.objects.filter(key__in=list(keys)).order_by("due")[:EVENTS_MAX]


def _by_keys(keys: Collection[str]) -> "Iterator[QuerySet[OutboxRow]]":
    times = [_made_at(one) if (one := identity(key)) else None for key in keys]
    begun = [at for at in times if at is not None]
    since = min(begun) - AROUND if begun and len(begun) == len(times) else None
    for topic, partitions in _topics():
        there = [key for key in keys if _may_hold(topic, key)]
        # In each: an operator may have added partitions, and the earlier events of a key lie where they were placed.
        for partition in range(partitions) if there else ():
            rows = OutboxRow.objects.filter(topic=topic, partition=partition, offset__isnull=False)
            if since is not None:
                rows = rows.filter(offset__gte=_first_row(rows, "offset", since))
            yield rows.filter(key__in=there).order_by("-offset")[:EVENTS_MAX]
    # Unordered, so that SQLite reads the short indexes of these rows and not the whole table.
    yield OutboxRow.objects.filter(offset=None, rejected="", key__in=keys)[:EVENTS_MAX]
    yield OutboxRow.objects.filter(rejected__gt="", key__in=keys)[:EVENTS_MAX]


def _topics() -> Iterator[tuple[str, int]]:
    """Yield the topics of the outbox with the number of their partitions: two steps through its index for each."""
    sent, last = OutboxRow.objects.filter(offset__isnull=False).order_by("topic", "partition", "offset"), ""
    while (topic := sent.filter(topic__gt=last).values_list("topic", flat=True).first()) is not None:
        highest = sent.filter(topic=topic).order_by("-partition", "-offset").values_list("partition", flat=True).first()
        yield topic, (highest or 0) + 1
        last = topic


def _may_hold(topic: str, key: str) -> bool:
    """Return False if no event of this topic can have such a key."""
    types = [one for one in declared_events() if one.topic == topic]
    return not types or any(_can_have(one, key) for one in types)


def _can_have(event_type: type[Event], key: str) -> bool:
    fields = event_type.key_fields
    if len(fields) == 1 and {field.name: field.type for field in structs.fields(event_type)}[fields[0]] is UUID:
        return identity(key) is not None
    return key.count(KEY_SEPARATOR) >= len(fields) - 1


def _of_request(one: UUID) -> Q:
    return Q(headers__contains=f'"correlationid":"{ids.text(one)}"') | Q(
        headers__contains=f'"traceparent":"00-{one.hex}-'
    )


def _made_at(one: UUID) -> datetime | None:
    """Return the time in an id of version 7; None for other versions, and for a time that has not come."""
    if one.version != ids.VERSION:
        return None
    seconds = (one.int >> 80) / 1000
    return datetime.fromtimestamp(seconds, UTC) if seconds < (clock.now() + AROUND).timestamp() else None


def _first_row(rows: "QuerySet[OutboxRow]", number: str, at: datetime) -> int:
    """Return the lowest `number` (a column that grows with time) whose rows were all published at `at` or later."""
    # One query each: SQLite reads the whole table for both in one.
    low = rows.aggregate(first=Min(number))["first"] or 0
    high = (rows.aggregate(last=Max(number))["last"] or 0) + 1
    while low < high:
        middle = (low + high) // 2
        after: Any = rows.filter(**{f"{number}__gte": middle}).order_by(number)
        found = after.values_list("created_at", flat=True).first()
        if found is not None and found < at:
            low = middle + 1
        else:
            high = middle
    return low
