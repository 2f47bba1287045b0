"""Find events by their id, key, correlation id or trace id.

- Sent events have an index by key. The relay writes it, so that publishers do not wait for it.
- The outbox has no index by event or correlation id. An id of version 7 contains its time, and the ids of rows grow
  with time. So halving finds the rows of that time.
"""

from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db.models import Max, Min, Q, QuerySet

from eventbus import clock, ids
from eventbus.models import ConsumerGroup, DeadLetter, OutboxRow, ParkedEvent, Timer

EVENTS_MAX = 200  # of one journey: the newest. A page with more is slow to make and is not read
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

    It searches the outbox rows made around the time in the id, and the REQUEST_ROWS rows after those. An id without a
    time finds nothing.
    """
    at = _made_at(one)
    if at is None:
        return []
    first, last = (first_row(edge) for edge in (at - AROUND, at + AROUND))
    rows = OutboxRow.objects.filter(Q(event_id=one) | _of_request(one), id__gte=first, id__lt=last + REQUEST_ROWS)
    return list(rows.order_by("id")[:EVENTS_MAX])


def key_of(one: UUID) -> str:
    """Return the key of the timer, parked event or dead letter with this event id; "" if there is none.

    `events_of_request` looks for an event around the time in its id. It misses an event that was a timer: that one got
    its id when the timer was set, and its outbox row only when the timer was due.
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
    for key in keys:  # a query each: with several keys a database sorts all their rows
        yield OutboxRow.objects.filter(key=key, offset__isnull=False).order_by("-id")[:EVENTS_MAX]
    # Unordered, so that SQLite reads the short indexes of these rows and not the whole table.
    yield OutboxRow.objects.filter(offset=None, rejected="", key__in=keys)[:EVENTS_MAX]
    yield OutboxRow.objects.filter(rejected__gt="", key__in=keys)[:EVENTS_MAX]


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


def first_row(at: datetime) -> int:
    """Return the lowest id of a row from which on all rows were published at `at` or later."""
    # One query each: SQLite reads the whole table for both in one.
    low = OutboxRow.objects.aggregate(first=Min("id"))["first"] or 0
    high = (OutboxRow.objects.aggregate(last=Max("id"))["last"] or 0) + 1
    while low < high:
        middle = (low + high) // 2
        after = OutboxRow.objects.filter(id__gte=middle).order_by("id")
        found = after.values_list("created_at", flat=True).first()
        if found is not None and found < at:
            low = middle + 1
        else:
            high = middle
    return low
