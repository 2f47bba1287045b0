"""How fast committed events reach the log, beside the least that any relay must do: read a batch, mark it as sent."""

from collections.abc import Callable, Iterator

from django.db import connection, transaction

from benchmarks.measure import Goal, Row, rate
from benchmarks.sales import Sale, made
from benchmarks.site import Bench
from eventbus import backends, publish
from eventbus.relay import BATCH_ROWS, Relay

BATCHES = 10
BATCHES_QUICK = 4
PEER_TABLE = "benchmarks_plain_outbox"


def measure(bench: Bench) -> Iterator[Row]:
    batches = BATCHES_QUICK if bench.quick else BATCHES
    count = batches * BATCH_ROWS
    relay = Relay(backends.current())
    drain(relay)
    _make_peer_table()
    yield bench.row(
        f"relay batches of {BATCH_ROWS}",
        lambda: _after(publish_many, count, lambda: rate(lambda: drain(relay), count=count)),
        unit="events/s",
        beside="by hand: one SELECT and one UPDATE a batch, sending to nothing",
        peer=lambda: _after(_fill_peer_table, count, lambda: rate(_drain_peer_table, count=count)),
        goal=Goal(ratio_min=0.3),
    )


def _after(prepare: Callable[[int], None], count: int, measured: Callable[[], float]) -> float:
    prepare(count)
    return measured()


def publish_many(count: int) -> None:
    with transaction.atomic():
        publish(*(made(Sale()) for _ in range(count)))


def drain(relay: Relay) -> None:
    while relay.step():
        pass


def _make_peer_table() -> None:
    """An outbox with nothing but what the peer needs: the same payload, a mark, an index of what is not yet sent."""
    key = "bigint GENERATED ALWAYS AS IDENTITY" if connection.vendor == "postgresql" else "integer"
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TABLE {PEER_TABLE} (id {key} PRIMARY KEY, payload {_bytes()} NOT NULL, sent boolean NOT NULL)"
        )
        cursor.execute(f"CREATE INDEX {PEER_TABLE}_unsent ON {PEER_TABLE} (id) WHERE NOT sent")


def _bytes() -> str:
    return "bytea" if connection.vendor == "postgresql" else "blob"


def _fill_peer_table(count: int) -> None:
    payload = b"x" * 150  # about what a SaleMade weighs with its headers
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.executemany(f"INSERT INTO {PEER_TABLE} (payload, sent) VALUES (%s, %s)", [(payload, False)] * count)


def _drain_peer_table() -> None:
    select = f"SELECT id, payload FROM {PEER_TABLE} WHERE NOT sent ORDER BY id LIMIT {BATCH_ROWS}"
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(select)
            rows = cursor.fetchall()
            if not rows:
                return
            cursor.execute(
                f"UPDATE {PEER_TABLE} SET sent = %s WHERE id BETWEEN %s AND %s", [True, rows[0][0], rows[-1][0]]
            )
