"""Refuse records at reused offsets: a log that has lost its end gives its offsets out again.

No group may handle a new record at the offset of another event. The new record would overtake lost events that the
group has not read. If the relay dies before it sees the reuse, the lost events would never be handled. The outbox still
says which event had each offset.
"""

from collections.abc import Sequence

from django.db import DEFAULT_DB_ALIAS, connections

from eventbus import backends
from eventbus.database import sql
from eventbus.errors import LogTruncated
from eventbus.events import Record

_TAKEN = "SELECT log_offset, event_id FROM eventbus_outbox WHERE topic = %b AND partition = %b AND "


def refuse(records: Sequence[Record]) -> None:
    """Raise LogTruncated if one of these records has the offset of another event. All are of one partition."""
    if not records or backends.current().in_process:
        return
    connection, first = connections[DEFAULT_DB_ALIAS], records[0]
    offsets = sql.numbers(connection, [record.offset for record in records])
    asked = _TAKEN + sql.is_among(connection, "log_offset", "bigint")
    found = sql.fetch(connection, asked, [first.topic, first.partition, offsets])
    taken = {offset: sql.uuid_of(event_id) for offset, event_id in found}
    lost = [one.offset for one in records if taken.get(one.offset, one.event_id) != one.event_id]
    if lost:
        at = f"{first.topic}/{first.partition}/{min(lost)}"
        why = f"{at} was the offset of another event: the log has lost it, and waits for the relay to append it again"
        raise LogTruncated(why, {(first.topic, first.partition): min(lost)})
