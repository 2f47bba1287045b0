"""Find published events for a reader, page by page, however many the outbox holds.

The outbox has few indexes, since each costs every publisher. Sent events are found by key through one of them. Without
a key a page reads at most SCANNED_MAX rows by their id, and the next page goes on where it stopped.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from django.db.models import Max, Min, Q, QuerySet

from eventbus import ids
from eventbus.database.storable_text import readable
from eventbus.journeys.handlings import Handling, Handlings
from eventbus.journeys.journey import Way, way_of
from eventbus.journeys.search import first_row, identity
from eventbus.models import OutboxRow

PAGE_EVENTS = 50  # of one page: two screens
SCANNED_MAX = 20_000  # rows read for one page: some tens of milliseconds
NUMBER_MAX = 2**63 - 1  # no row has a higher id
# Each has an index of its own.
SENT, UNSENT, REJECTED = Q(offset__isnull=False), Q(offset__isnull=True, rejected=""), Q(rejected__gt="")


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A question about events: empty fields do not count. `before`: only rows with a lower id."""

    type: str = ""
    topic: str = ""
    key: str = ""
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None


class Listed(msgspec.Struct, frozen=True):
    """An event in a list. `number`: the id of its row."""

    number: int
    event_id: UUID
    type: str
    topic: str
    key: str
    published_at: datetime
    partition: int | None
    offset: int | None
    way: Way


class EventPage(msgspec.Struct, frozen=True):
    """The events of a page, the newest first. `older`: the `before` of the next page, None if there is none.

    `is_cut`: the page ends because enough rows were read, and not because it is full.
    """

    events: list[Listed]
    older: int | None
    is_cut: bool


class EventDetail(msgspec.Struct, frozen=True):
    """An event with its data decoded, its data as stored, its headers, and what each group made of it."""

    listed: Listed
    content: str
    raw: str
    headers: dict[str, str]
    rejected: str
    sent_at: datetime | None
    handlings: list[Handling]


def page(wanted: Wanted) -> EventPage:
    """Return a page of events."""
    rows, older, is_cut = _of_key(wanted) if wanted.key else _scanned(wanted)
    return EventPage([_listed(row) for row in rows], older, is_cut)


def detail(number: int) -> EventDetail | None:
    """Return the event of an outbox row; None if there is no such row, or no more."""
    row = OutboxRow.objects.filter(pk=number).first()
    if row is None:
        return None
    return EventDetail(
        listed=_listed(row),
        content=readable(row.payload),
        raw=bytes(row.payload).decode("utf-8", "backslashreplace"),
        headers=_headers(row),
        rejected=row.rejected,
        sent_at=row.appended_at,
        handlings=Handlings([row]).of(row),
    )


def exported(wanted: Wanted) -> Iterable[bytes]:
    """Yield the events of a page as JSON lines: CloudEvents with topic, partition, offset and key beside their data."""
    numbers = [one.number for one in page(wanted).events]
    for row in OutboxRow.objects.filter(pk__in=numbers).order_by("-id"):
        told: dict[str, Any] = {**_headers(row), "topic": row.topic, "partition": row.partition, "offset": row.offset}
        told |= {"type": row.type, "key": row.key, "id": ids.text(row.event_id)}
        yield msgspec.json.encode(told | _data(bytes(row.payload))) + b"\n"


def _scanned(wanted: Wanted) -> tuple[list[OutboxRow], int | None, bool]:
    first = OutboxRow.objects.aggregate(first=Min("id"))["first"] or 0
    last = OutboxRow.objects.aggregate(last=Max("id"))["last"] or 0
    top = min(last + 1, *(_upper(wanted) or [last + 1]))
    low = max(first, first_row(wanted.since)) if wanted.since else first
    floor = max(low, top - SCANNED_MAX)
    found = _matching(OutboxRow.objects.filter(id__gte=floor, id__lt=top), wanted)[: PAGE_EVENTS + 1]
    rows = list(found)
    if len(rows) > PAGE_EVENTS:
        return rows[:PAGE_EVENTS], rows[PAGE_EVENTS - 1].pk, False
    return rows, floor if floor > low else None, floor > low


def _of_key(wanted: Wanted) -> tuple[list[OutboxRow], int | None, bool]:
    """Return the events of one key: the sent ones by their index, and the few others by theirs."""
    one = identity(wanted.key)
    of_key = _matching(OutboxRow.objects.filter(key=ids.text(one) if one else wanted.key), wanted)
    low = first_row(wanted.since) if wanted.since else 0
    top = min(_upper(wanted), default=NUMBER_MAX)
    in_order = of_key.filter(id__gte=low, id__lt=top).order_by("-id")
    found = {row.pk: row for way in (SENT, UNSENT) for row in in_order.filter(way)[: PAGE_EVENTS + 1]}
    # Unordered and without bounds, so that SQLite reads the short index of these rows and not the whole table.
    found |= {row.pk: row for row in of_key.order_by().filter(REJECTED)[:PAGE_EVENTS] if low <= row.pk < top}
    rows = [found[number] for number in sorted(found, reverse=True)]
    return rows[:PAGE_EVENTS], rows[PAGE_EVENTS - 1].pk if len(rows) > PAGE_EVENTS else None, False


def _upper(wanted: Wanted) -> list[int]:
    """Return the ids of which every row must be below the lowest."""
    return [one for one in (wanted.before, first_row(wanted.until) if wanted.until else None) if one is not None]


def _matching(rows: "QuerySet[OutboxRow]", wanted: Wanted) -> "QuerySet[OutboxRow]":
    asked = {"type": wanted.type, "topic": wanted.topic}
    matching = rows.filter(**{name: value for name, value in asked.items() if value})
    return matching.defer("payload", "headers").order_by("-id")


def _listed(row: OutboxRow) -> Listed:
    return Listed(
        number=row.pk,
        event_id=row.event_id,
        type=row.type,
        topic=row.topic,
        key=row.key,
        published_at=row.created_at,
        partition=row.partition,
        offset=row.offset,
        way=way_of(row),
    )


def _headers(row: OutboxRow) -> dict[str, str]:
    try:
        return msgspec.json.decode(row.headers, type=dict[str, str])
    except (msgspec.DecodeError, ValueError):
        return {}  # a row that somebody wrote by hand is shown all the same


def _data(payload: bytes) -> dict[str, Any]:
    """Return the data of a CloudEvent in JSON; what is no JSON goes as base64, as the format says."""
    try:
        return {"data": msgspec.json.decode(payload)}
    except (msgspec.DecodeError, ValueError):
        return {"data_base64": payload}
