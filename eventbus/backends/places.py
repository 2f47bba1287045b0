"""What an outbox row says of the log: where it lies, or why it does not."""

from collections.abc import Sequence

from django.db import DEFAULT_DB_ALIAS, connections

from eventbus import clock, sql
from eventbus.errors import LeaseLost
from eventbus.models import OutboxRow

_ALL = """
    UPDATE eventbus_outbox SET partition = place.partition, position = place.position, appended_at = %b
    FROM unnest(%b::bigint[], %b::smallint[], %b::bigint[]) AS place (id, partition, position)
    WHERE eventbus_outbox.id = place.id AND eventbus_outbox.position IS NULL
"""
_EACH = "UPDATE eventbus_outbox SET appended_at = %b, partition = %b, position = %b WHERE id = %b AND position IS NULL"


def note(places: Sequence[tuple[int, int, int]]) -> None:
    """Write down (row id, partition, position) of each, in the caller's transaction.

    Raises LeaseLost when a row has a place already: then another relay gave it, and this one is none any more.
    """
    connection = connections[DEFAULT_DB_ALIAS]
    now = sql.time_value(connection, clock.now())
    if connection.vendor == "postgresql":
        ids, partitions, positions = map(list, zip(*places, strict=True))
        count = sql.execute(connection, _ALL, [now, ids, partitions, positions])
    else:
        rows = [(now, partition, position, row_id) for row_id, partition, position in places]
        count = sql.execute_many(connection, _EACH, rows)
    if count != len(places):
        raise LeaseLost("another relay has appended some of these rows")


def refuse(row_id: int, reason: str) -> None:
    """The log will never take this row."""
    OutboxRow.objects.filter(id=row_id).update(refused=reason)
