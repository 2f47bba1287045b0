"""Decide which records are trusted: other programs may be able to write into the log.

A record with the site's signature is trusted (`signing`). So is a record that is unchanged in the outbox: it may be
signed with a signing key that this process lacks. So is another program's unsigned record, if the event's class names
that program (`Event.unsigned_from`). All others are passed like repeats: no handler is called, no key waits behind
them, and the delivery audit does not count them. They are set aside with their offsets, for operators to see
(`UntrustedRecord`).
"""

import logging
import time
from collections.abc import Callable, Sequence

import msgspec
from django.db.models import F

from eventbus import clock
from eventbus.database.storable_text import printable
from eventbus.envelope_texts import sequenced
from eventbus.events import Event, Record, source
from eventbus.models import SOURCE_CHARACTERS_MAX, TYPE_CHARACTERS_MAX, OutboxRow, Progress, UntrustedRecord
from eventbus.recovery.own_outbox_rows import number_of
from eventbus.registry import Group

logger = logging.getLogger(__name__)

ROWS_MAX = 100  # rows kept for each group and topic: enough to see what is written, and by whom; the rest is counted
SAID_AGAIN_SECONDS = 10.0  # between log lines: a flood of such records must not hide other lines
JSON = "application/json"  # a payload's type unless its attributes say otherwise
ANYBODY = "*"  # in `unsigned_from`: any source but the site's own
_said = {"untrusted": float("-inf"), "unknown key": float("-inf")}  # when last logged, by the monotonic clock


def sift(records: list[Record], type_of: Callable[[Record], type[Event] | None]) -> list[Record]:
    """Return the same records, with `trusted` set for those that are trusted.

    The outbox is queried only for records without a valid signature that claim to be from this site. `type_of` returns
    the reader's event class for a record, or None. Raises DatabaseError.
    """
    doubtful = [record for record in records if not record.trusted]
    if not doubtful:
        return records
    found = _in_outbox([record for record in doubtful if record.claims_ours])
    return [
        msgspec.structs.replace(record, trusted=True)
        if not record.trusted and (record.offset in found or _may_publish(record, type_of(record)))
        else record
        for record in records
    ]


def _may_publish(record: Record, event_type: type[Event] | None) -> bool:
    if event_type is None or not event_type.unsigned_from or record.claims_ours:
        return False
    return ANYBODY in event_type.unsigned_from or _source(record) in event_type.unsigned_from


def _source(record: Record) -> str:
    return record.attributes().get("source", "")


def _in_outbox(records: Sequence[Record]) -> set[int]:
    """Return the offsets of those records that are unchanged in the outbox. All `records` are of one partition.

    A record names the id of its outbox row. The row must have the same partition, or none yet: the relay stores it
    after the append.
    """
    if not records:
        return set()
    numbers = {record.offset: number_of(record) for record in records}
    rows = OutboxRow.objects.in_bulk(sorted(set(numbers.values())))
    found = {record.offset for record in records if _is_of(record, rows.get(numbers[record.offset]))}
    if found and _may_say("unknown key"):
        logger.warning(
            "%s records of %s are in the outbox, and signed by no key that is known here. Give every process the same "
            "EVENTBUS_SIGNING_KEYS or SECRET_KEY; docs/operations.md says how to change them",
            len(found),
            records[0].topic,
        )
    return found


def _is_of(record: Record, row: OutboxRow | None) -> bool:
    return (
        row is not None
        and row.partition in (None, record.partition)
        and (row.event_id, row.topic, row.type) == (record.event_id, record.topic, record.type)
        and row.key == record.key
        and bytes(row.payload) == record.payload
        and record.attributes() == _attributes(row)
    )


def _attributes(row: OutboxRow) -> dict[str, str]:
    """Return the CloudEvents attributes that a relay gives the row's record."""
    attributes = msgspec.json.decode(sequenced(row.headers, row.id), type=dict[str, str])
    attributes.setdefault("datacontenttype", JSON)
    return attributes


def set_aside(group: Group, progress: Progress, records: Sequence[Record]) -> None:
    """Count and store the untrusted records among these, in the transaction that passes them.

    Other programs' events that the group does not handle are left out. Records that are no events are included.
    """
    strange = [
        record
        for record in records
        if not record.trusted
        and record.offset >= progress.offset
        and (record.claims_ours or not record.type or group.type_of(record))
    ]
    if not strange:
        return
    Progress.objects.filter(id=progress.pk).update(untrusted=F("untrusted") + len(strange))
    kept = UntrustedRecord.objects.filter(group=group.name, topic=progress.topic).count()
    UntrustedRecord.objects.bulk_create(_row(group, record) for record in strange[: max(0, ROWS_MAX - kept)])
    if _may_say("untrusted"):
        logger.error(
            "Group %s has set aside %s records of %s/%s that no event class allows, such as %s at %s: "
            "see manage.py eventbus untrusted",
            *(group.name, len(strange), progress.topic, progress.partition),
            *(printable(strange[0].type) or "a record without a type", strange[0].offset),
        )


def _row(group: Group, record: Record) -> UntrustedRecord:
    return UntrustedRecord(
        group=group.name,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        event_id=record.event_id,
        type=printable(record.type)[:TYPE_CHARACTERS_MAX],
        key=record.key,
        source=printable(_source(record) if not record.claims_ours else source())[:SOURCE_CHARACTERS_MAX],
        seen_at=clock.now(),
    )


def _may_say(what: str) -> bool:
    now = time.monotonic()
    if now - _said[what] < SAID_AGAIN_SECONDS:
        return False
    _said[what] = now
    return True
