"""Detect that the log holds events of this site that the database does not know: the database was restored.

The outbox keeps the row of every record that the relay sent for as long as the log can show the record. The record's
`sequence` is the row's id, so the row is found at once. A record of this site without a row was published by a
transaction that the backup does not have. No handler is called for it. Groups and relay stop at the first such record,
because anything they do makes log and database differ more. An operator has to repair it (`repairs.restore_repair`).
After the repair, groups skip the forgotten events. Another program may append a copy of a pruned record: that is set
aside like a forged record (`consuming.trust`), and stops nothing.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple, Protocol
from uuid import UUID

from django.db import transaction
from django.db.models import Min

from eventbus import clock
from eventbus.backends import outbox_offsets
from eventbus.backends.base import IN_MEMORY, Backend
from eventbus.database.storable_text import printable
from eventbus.errors import Diverged
from eventbus.events import Record, declared_events, source
from eventbus.models import (
    SOURCE_CHARACTERS_MAX,
    Divergence,
    ForgottenSpan,
    OutboxRow,
    TopicLog,
    UntrustedRecord,
)
from eventbus.recovery import own_outbox_rows, reused_offsets

logger = logging.getLogger(__name__)

THE_ONE = "database"  # the name of the only row
RECORDS_AT_ONCE = 1_000  # looked up in one query
REMEDY = "manage.py eventbus restored says what that means and repairs it: docs/operations.md, A store that went back."


class Named(Protocol):
    """The attributes of a record that a divergence stores and reports."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def event_id(self) -> UUID: ...
    @property
    def type(self) -> str: ...
    @property
    def key(self) -> str: ...


def unknown(records: Iterable[Record]) -> list[Record]:
    """Return this site's trusted records that the outbox lacks. In memory the log is the outbox, so there are none.

    A record names the id of its outbox row. After a restore, an id may be used twice: then the row is another event's.
    """
    return _absent(own_outbox_rows.trusted(records))


def unsigned(records: Iterable[Record]) -> list[Record]:
    """Return untrusted records that claim to be from this site and would prove a restore if they were trusted.

    Anyone who may write into the log can make such a record, so it stops nothing.
    """
    return _later(_absent([record for record in records if record.claims_ours and not record.trusted]))


def _absent(records: Sequence[Record]) -> list[Record]:
    return [record for record, row in own_outbox_rows.of(records) if row.event_id != record.event_id]


def forgotten(records: Iterable[Record]) -> set[int]:
    """Return the offsets of this site's records that a restored database forgot. Groups skip these records.

    All records are of one partition. Offsets are returned, and not event ids, because a timer in the backup is
    published again with the same id. Raises Diverged if no operator has decided about a forgotten record yet. Raises
    LogTruncated if the log lost records instead (`reused_offsets`).
    """
    records = list(records)
    mine = own_outbox_rows.of(own_outbox_rows.trusted(records))
    found = [record for record, row in mine if row.event_id != record.event_id]
    if strange := _news(found):
        raise Diverged(f"{len(strange)} events of {strange[0].topic} are in the log and not in the outbox", strange)
    at_home = {record.offset for record, row in mine if row.is_at(record)}
    reused_offsets.refuse([record for record in records if record.offset not in at_home])
    return {record.offset for record in found}


def news(records: Iterable[Record]) -> list[Record]:
    """Return those of these records that the outbox lacks, and about which no operator has decided yet."""
    return _news(unknown(records))


def _news(found: Sequence[Record]) -> list[Record]:
    if not found:
        return []
    spans = list(ForgottenSpan.objects.filter(topic__in={record.topic for record in found}))
    return [record for record in found if not any(_is_in(record, span) for span in spans)]


def _is_in(record: Record, span: ForgottenSpan) -> bool:
    """Return True if the record is in the span of forgotten events.

    The id of its outbox row is compared too, because a log that was filled again uses the same offsets.
    """
    return (
        (span.topic, span.partition) == (record.topic, record.partition)
        and span.begin <= record.offset < span.end
        and own_outbox_rows.number_of(record) <= span.last
    )


def note(records: Sequence[Record]) -> list[Record]:
    """Record a divergence, which stops groups and relay, if one of these was published later than the database's state.

    Else return those that the outbox still lacks. It is queried again, because a row may be visible only a moment after
    its commit.
    """
    still = news(records)
    if proof := _later(still):
        stand_still(proof[0])
        return []
    return still


def _later(records: Sequence[Record]) -> list[Record]:
    """Return the records that name higher ids of outbox rows than any row that was sent.

    The others may be copies of pruned records. Anyone who can write into the log can append such a copy, with its valid
    signature.
    """
    if not records:
        return []
    sent = OutboxRow.objects.filter(offset__isnull=False).order_by("-id").values_list("id", flat=True).first() or 0
    return [record for record in records if own_outbox_rows.number_of(record) > sent]


def stand_still(first: Named) -> None:
    """Record a divergence, which stops all groups and the relay. The first process to record it logs an error."""
    with transaction.atomic():
        _, is_new = Divergence.objects.get_or_create(
            name=THE_ONE,
            defaults={
                "noted_at": clock.now(),
                "topic": first.topic,
                "partition": first.partition,
                "offset": first.offset,
                "event_id": first.event_id,
                "type": first.type,
                "key": first.key,
            },
        )
    if is_new:
        logger.error("%s", told(Divergence.objects.get(name=THE_ONE)))


def stands() -> bool:
    """Return True while a divergence is recorded, and so all groups and the relay stand still."""
    return Divergence.objects.exists()


def problems() -> list[str]:
    """Return a sentence for the operator if a divergence is recorded, else nothing."""
    return [told(found) for found in Divergence.objects.all()]


def told(found: Divergence) -> str:
    """Describe a divergence: which store went back, how that is known, and the remedy."""
    return (
        f"The database went back to an earlier time: the log holds {printable(found.type)} {found.event_id} of key "
        f"{printable(found.key)} at {found.topic}/{found.partition}/{found.offset}, which was published here and is "
        f"not in the outbox. All groups and the relay stand still. {REMEDY}"
    )


def by_no_key(count: int, topic: str) -> str:
    """Describe the records of a topic that `unsigned` found, in a sentence with the remedy."""
    return (
        f"{count} records of {topic} say that they are of this site, and no key that is known here has signed them. "
        "Was the database restored, and have keys been changed? Put the others back into EVENTBUS_SIGNING_KEYS, or "
        "SECRET_KEY into SECRET_KEY_FALLBACKS, before anything is told, and start again. Else they are forged: "
        "docs/operations.md, A forged record."
    )


class Tail(NamedTuple):
    """The part of a topic's log beyond all offsets in the database. `begins`: its first offset, by partition.

    `is_known`: the offsets in the database belong to this log. If they do not, the log may hold copies of all pruned
    records.
    """

    begins: dict[int, int]
    is_known: bool

    def news(self, records: Iterable[Record]) -> list[Record]:
        """Return the records that the outbox lacks (`news`).

        If the log is not the known one, leave out copies of pruned records.
        """
        found = news(records)
        return found if self.is_known else _later(found)


def look(backend: Backend, beat: Callable[[], None]) -> None:
    """Search the tails of all logs for events that a restored database lacks. Record a divergence if there are any.

    Called before a relay begins. `beat` renews the relay's lease: it is called again and again, and raises if the lease
    is lost. Raises LogUnavailable, and what `beat` raises.
    """
    if backend.topics is None or stands():
        return
    for topic, tail in tails(backend).items():
        strange = 0
        for records in batches(backend.tail(topic, tail.begins, beat)):
            note(tail.news(records))
            if stands():
                return
            strange += len(unsigned(records))
        if strange:
            logger.error("%s", by_no_key(strange, topic))


def tails(backend: Backend) -> dict[str, Tail]:
    """Return, by topic, the tail of each log that has one. Raises LogUnavailable.

    All of a recreated log is tail. So is all of a log that no relay of this site has recorded: then the log or the
    database is new.
    """
    logs = dict(TopicLog.objects.values_list("topic", "generation"))
    asked = {one.topic for one in declared_events()} | logs.keys()
    asked -= {topic for topic, generation in logs.items() if generation == IN_MEMORY}
    found = {}
    for topic, generation in sorted(backend.generations(asked).items()):
        is_known = logs.get(topic) == generation
        given = outbox_offsets.given(topic, moved=True) if is_known else {}
        partitions = backend.partitions([topic])
        ends, earliest = backend.ends(partitions), backend.earliest_offsets(partitions)
        aside = _set_aside(topic)
        given = {number: min(end, aside.get(number, end)) for number, end in given.items()}
        begins = {one.partition: max(given.get(one.partition, 0), earliest[one]) for one in partitions}
        begins = {one.partition: begins[one.partition] for one in partitions if begins[one.partition] < ends[one]}
        found[topic] = Tail(begins, is_known)
    return {topic: tail for topic, tail in found.items() if tail.begins}


def _set_aside(topic: str) -> dict[int, int]:
    """Return by partition the lowest offset of the records that groups set aside as forged and that name this site."""
    rows = UntrustedRecord.objects.filter(topic=topic, source=source()[:SOURCE_CHARACTERS_MAX])
    return dict(rows.order_by().values_list("partition").annotate(first=Min("offset")))


def batches(records: Iterator[Record]) -> Iterator[list[Record]]:
    """Yield the records in lists of RECORDS_AT_ONCE."""
    while batch := list(islice(records, RECORDS_AT_ONCE)):
        yield batch
