"""The journey of one thing through the site: its events, what each group made of them, and what is still expected."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from django.db import transaction

from eventbus.journeys import search
from eventbus.journeys.handlings import Handling, Handlings
from eventbus.journeys.subjects import Subject
from eventbus.models import OutboxRow

KEYS_MAX = 20  # of the subjects that one text finds: whoever means others writes more of it
WAITING = ("expected", "retrying", "waits")  # states of a handling that is still to come


class Step(msgspec.Struct, frozen=True):
    """An event of the journey. `cause`: the id of the event whose handler published it, None if a request did."""

    event_id: UUID
    type: str
    topic: str
    key: str
    published_at: datetime
    sent_at: datetime | None
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
    """All that is known about one text. `cut`: there are older events that are left out."""

    subjects: list[Subject]
    steps: list[Step]
    expected: list[Expected]
    cut: bool


Finder = Callable[[str], Iterable[Subject]]


def follow(text: str, finders: Sequence[Finder] = ()) -> Journey:
    """Return the journey of what a text names: an event, key, correlation or trace id, or a subject of `finders`."""
    with transaction.atomic():  # one picture: no event moves on between two of the queries
        subjects = _subjects(text, finders)
        keys = {key for subject in subjects for key in subject.keys} or {text.strip()}
        rows = search.events_of(keys)
        one = search.identity(text)
        if one and not subjects:
            rows = rows or _of_request(one)
            keys |= {row.key for row in rows[:KEYS_MAX]}
            subjects = [
                found for key in sorted({row.key for row in rows})[:KEYS_MAX] for found in _subjects(key, finders)
            ]
        return _journey(subjects, keys, rows)


def _of_request(one: UUID) -> list[OutboxRow]:
    """Return the events that an event, a correlation or a trace began, with all others of their keys."""
    begun = search.events_of_request(one)
    keys = list(dict.fromkeys(row.key for row in begun))[:KEYS_MAX]
    found = {row.pk: row for row in [*begun, *search.events_of(keys)]}
    return [found[number] for number in sorted(found)]


def _subjects(text: str, finders: Sequence[Finder]) -> list[Subject]:
    """Return the subjects that a text names, and what other features know under the same keys; each once."""
    found = [subject for find in finders for subject in find(text)]
    keys = [key for key in dict.fromkeys(key for subject in found for key in subject.keys) if key != text]
    others = [subject for key in keys[:KEYS_MAX] for find in finders for subject in find(key)]
    return list({(one.title, one.page): one for one in [*found, *others]}.values())


def _journey(subjects: list[Subject], keys: set[str], rows: list[OutboxRow]) -> Journey:
    handlings = Handlings(rows)
    steps = [_step(row, handlings.of(row)) for row in rows]
    waiting = [
        Expected(step.type, step.key, one.group, one.state, one.at)
        for step in steps
        for one in step.handlings
        if one.state in WAITING
    ]
    later = [Expected(one.type, one.key, "", "due", one.due) for one in search.timers_of(keys)]
    return Journey(subjects, steps, [*waiting, *later], len(rows) >= search.EVENTS_MAX)


def _step(row: OutboxRow, handlings: list[Handling]) -> Step:
    attributes = _attributes(row)
    cause = attributes.get("causationid")
    return Step(
        event_id=row.event_id,
        type=row.type,
        topic=row.topic,
        key=row.key,
        published_at=row.created_at,
        sent_at=row.appended_at,
        cause=UUID(cause) if cause else None,
        correlation=attributes.get("correlationid", ""),
        content=_pretty(bytes(row.payload)),
        headers=_pretty(row.headers.encode()),
        handlings=handlings,
    )


def _attributes(row: OutboxRow) -> dict[str, str]:
    return msgspec.json.decode(row.headers, type=dict[str, str])


def _pretty(text: bytes) -> str:
    return msgspec.json.format(text, indent=2).decode()
