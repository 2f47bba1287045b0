"""The journey of one thing through the site: its events, what each group made of them, and what is still expected."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from eventbus.audit.delivery_audit import snapshot
from eventbus.database.storable_text import readable
from eventbus.journeys import search
from eventbus.journeys.handlings import Handling, Handlings
from eventbus.journeys.search import EVENTS_MAX, KEYS_MAX
from eventbus.journeys.subjects import Subject
from eventbus.models import OutboxRow

OPEN = ("expected", "retrying", "waits", "dead")  # states of a handling after which more must come
Way = Literal["unsent", "sent", "rejected", "withdrawn"]


class Step(msgspec.Struct, frozen=True):
    """An event of the journey. `cause`: the id of the event whose handler published it, None if a request did.

    `correlation`: the id of the request in which everything began, "" if its headers name none.
    `way`: whether it is in the log. If the log rejected it, `rejected` says why.
    """

    event_id: UUID
    type: str
    topic: str
    key: str
    published_at: datetime
    way: Way
    rejected: str
    cause: UUID | None
    correlation: str
    content: str
    headers: str
    handlings: list[Handling]


class Expected(msgspec.Struct, frozen=True):
    """Something that has not happened yet: a group's handling of an event, or (`group` is "") a delayed event."""

    type: str
    key: str
    group: str
    state: str
    at: datetime | None


class Journey(msgspec.Struct, frozen=True):
    """All that is known about one text. `cut`: there may be older events that are left out."""

    subjects: list[Subject]
    steps: list[Step]
    expected: list[Expected]
    cut: bool


Finder = Callable[[str], Iterable[Subject]]


def follow(text: str, finders: Sequence[Finder] = ()) -> Journey:
    """Return the journey of what a text names: an event, key, correlation or trace id, or a subject of `finders`."""
    with snapshot():  # no event moves on between two of the queries, and no writer waits for them
        subjects = _subjects(text, finders)
        keys = list(dict.fromkeys(key for subject in subjects for key in subject.keys)) or [text.strip()]
        rows = search.events_of(keys)
        one = search.identity(text)
        if one and not rows and not subjects:
            rows = _of_id(one)
            keys = list(dict.fromkeys(row.key for row in rows)) or [search.key_of(one)]
        if not subjects:
            subjects = [found for key in keys[:KEYS_MAX] for found in _subjects(key, finders)]
        return _journey(subjects, keys, rows)


def _subjects(text: str, finders: Sequence[Finder]) -> list[Subject]:
    """Return the subjects that a text names, and what other features know under the same keys; each once."""
    found = [subject for find in finders for subject in find(text)]
    keys = [key for key in dict.fromkeys(key for subject in found for key in subject.keys) if key != text]
    others = [subject for key in keys[:KEYS_MAX] for find in finders for subject in find(key)]
    return list({(one.title, one.page): one for one in [*found, *others]}.values())


def _of_id(one: UUID) -> list[OutboxRow]:
    """Return the events that an event, a correlation or a trace began, with all others of their keys."""
    begun = search.events_of_request(one)
    keys = dict.fromkeys(row.key for row in begun) or [search.key_of(one)]
    found = {row.pk: row for row in [*begun, *search.events_of(filter(None, keys))]}
    return [found[number] for number in sorted(found)[-EVENTS_MAX:]]


def _journey(subjects: list[Subject], keys: Iterable[str], rows: list[OutboxRow]) -> Journey:
    handlings = Handlings(rows)
    steps = [_step(row, handlings.of(row)) for row in rows]
    still_open = [
        Expected(step.type, step.key, one.group, one.state, one.at)
        for step in steps
        for one in step.handlings
        if one.state in OPEN
    ]
    later = [Expected(one.type, one.key, "", "due", one.due) for one in search.timers_of(keys)]
    return Journey(subjects, steps, [*still_open, *later], len(rows) >= EVENTS_MAX)


def _step(row: OutboxRow, handlings: list[Handling]) -> Step:
    attributes = _attributes(row)
    return Step(
        event_id=row.event_id,
        type=row.type,
        topic=row.topic,
        key=row.key,
        published_at=row.created_at,
        way=way_of(row),
        rejected=row.rejected,
        cause=search.identity(attributes.get("causationid", "")),
        correlation=attributes.get("correlationid", ""),
        content=readable(row.payload),
        headers=readable(row.headers.encode()),
        handlings=handlings,
    )


def way_of(row: OutboxRow) -> Way:
    if row.withdrawn_at:
        return "withdrawn"
    if row.rejected:
        return "rejected"
    return "unsent" if row.offset is None else "sent"


def _attributes(row: OutboxRow) -> dict[str, str]:
    try:
        return msgspec.json.decode(row.headers, type=dict[str, str])
    except (msgspec.DecodeError, ValueError):
        return {}  # a row that somebody wrote by hand is shown all the same
