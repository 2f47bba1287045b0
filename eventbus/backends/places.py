"""What an outbox row says of the log: where it lies, or why it does not."""

from collections.abc import Sequence

from django.db import connection

from eventbus import clock
from eventbus.errors import LeaseLost
from eventbus.models import OutboxRow


def note(places: Sequence[tuple[int, int, int]]) -> None:
    """Write down (row id, partition, position) of each, in the caller's transaction.

    Raises LeaseLost when a row has a place already: then another relay gave it, and this one is none any more.
    """
    rows = ", ".join(["(CAST(%s AS bigint), CAST(%s AS smallint), CAST(%s AS bigint))"] * len(places))
    # Both databases name the columns of VALUES so. In a WITH, sqlite3 would not count the updated rows.
    statement = f"""
        UPDATE eventbus_outbox SET partition = place.column2, position = place.column3, appended_at = %s
        FROM (VALUES {rows}) AS place WHERE eventbus_outbox.id = place.column1 AND eventbus_outbox.position IS NULL
    """
    now = connection.ops.adapt_datetimefield_value(clock.now())
    with connection.cursor() as cursor:
        cursor.execute(statement, [now, *(value for place in places for value in place)])
        if cursor.rowcount != len(places):
            raise LeaseLost("another relay has appended some of these rows")


def refuse(row_id: int, reason: str) -> None:
    """The log will never take this row."""
    OutboxRow.objects.filter(id=row_id).update(refused=reason)
