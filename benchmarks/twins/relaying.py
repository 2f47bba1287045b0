"""The least that a relay must do: one SELECT and one UPDATE a batch, sending to nothing."""

from django.db import connection, transaction

TABLE = "benchmarks_plain_outbox"


def make_table() -> None:
    """An outbox with nothing but what the peer needs: the same payload, a mark, an index of what is not yet sent."""
    key = "bigint GENERATED ALWAYS AS IDENTITY" if connection.vendor == "postgresql" else "integer"
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TABLE {TABLE} (id {key} PRIMARY KEY, payload {_bytes()} NOT NULL, sent boolean NOT NULL)"
        )
        cursor.execute(f"CREATE INDEX {TABLE}_unsent ON {TABLE} (id) WHERE NOT sent")


def _bytes() -> str:
    return "bytea" if connection.vendor == "postgresql" else "blob"


def fill(count: int) -> None:
    payload = b"x" * 150  # about what a SaleMade weighs with its headers
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.executemany(f"INSERT INTO {TABLE} (payload, sent) VALUES (%s, %s)", [(payload, False)] * count)


def drain(batch: int) -> None:
    select = f"SELECT id, payload FROM {TABLE} WHERE NOT sent ORDER BY id LIMIT {batch}"
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(select)
            rows = cursor.fetchall()
            if not rows:
                return
            cursor.execute(f"UPDATE {TABLE} SET sent = %s WHERE id BETWEEN %s AND %s", [True, rows[0][0], rows[-1][0]])
