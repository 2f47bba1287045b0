"""Find the outbox rows of this site's records. Each record names the id of its row as its `sequence`."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple
from uuid import UUID

import msgspec
from django.db import DEFAULT_DB_ALIAS, connections

from eventbus import backends
from eventbus.database import sql
from eventbus.envelope_texts import SEQUENCE_DIGITS
from eventbus.events import Record, ours
from eventbus.models import NUMBER_MAX


class _Numbered(msgspec.Struct):
    sequence: str = ""


_attributes = msgspec.json.Decoder(_Numbered)


def number_of(record: Record) -> int:
    """Return the id of the outbox row that the record names, or 0 if it names none."""
    found = _attributes.decode(record.headers).sequence
    number = int(found) if found.isdecimal() and len(found) <= SEQUENCE_DIGITS else 0
    return number if number <= NUMBER_MAX else 0


def trusted(records: Iterable[Record]) -> list[Record]:
    """Return the trusted records of this site.

    In memory there are none: there the log is the outbox, and cannot differ from it.
    """
    if backends.current().in_process:
        return []
    mark = ours()  # read once for all: this runs for every event
    return [record for record in records if record.trusted and mark in record.headers]


def unsent(records: Iterable[Record]) -> list[Record]:
    """Return this site's trusted records whose outbox rows have no offset: the relay sends these events again."""
    found = of(trusted(records))
    return [record for record, row in found if row.event_id == record.event_id and row.offset is None]


class Row(NamedTuple):
    """An outbox row that was looked up by id.

    Fields are None if there is no row, or the relay has stored no offset yet.
    """

    event_id: UUID | None = None
    partition: int | None = None
    offset: int | None = None

    def is_at(self, record: Record) -> bool:
        """Return True if the row has this record's event id, partition and offset."""
        return self == (record.event_id, record.partition, record.offset)


_ASKED = "SELECT id, event_id, partition, log_offset FROM eventbus_outbox WHERE "
_NONE = Row()


def of(records: Sequence[Record]) -> list[tuple[Record, Row]]:
    """Return each record with the outbox row that it names. Raises DatabaseError."""
    if not records:
        return []
    connection, numbers = connections[DEFAULT_DB_ALIAS], [number_of(record) for record in records]
    asked = _ASKED + sql.is_among(connection, "id", "bigint")
    found = sql.fetch(connection, asked, [sql.numbers(connection, numbers)])
    event_ids = sql.uuids_of([event_id for _, event_id, _, _ in found])
    rows = {row[0]: Row(event_id, *row[2:]) for row, event_id in zip(found, event_ids, strict=True)}
    return [(record, rows.get(number, _NONE)) for record, number in zip(records, numbers, strict=True)]
