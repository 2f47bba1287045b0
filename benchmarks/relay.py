"""How fast committed events reach the log: beside the least that a relay must do, and beside those one can install."""

from collections.abc import Callable, Iterator

from django.db import connection, transaction

from benchmarks.measure import Goal, Row, rate
from benchmarks.sales import Sale, made
from benchmarks.site import Bench
from eventbus import backends, publish
from eventbus.relay import BATCH_ROWS, Relay

BATCHES = 10
BATCHES_QUICK = 4
PEER_EVENTS = 500  # of one round of a package: they do some thousands a second at best
PEER_TABLE = "benchmarks_plain_outbox"


def measure(bench: Bench) -> Iterator[Row]:
    batches = BATCHES_QUICK if bench.quick else BATCHES
    count = batches * BATCH_ROWS
    relay = Relay(backends.current())
    drain(relay)
    _make_peer_table()

    def ours() -> float:
        return _after(publish_many, count, lambda: drain(relay))

    yield bench.row(
        f"relay batches of {BATCH_ROWS}",
        ours,
        unit="events/s",
        beside="by hand: one SELECT and one UPDATE a batch, sending to nothing",
        peer=lambda: _after(_fill_peer_table, count, _drain_peer_table),
        goal=Goal(ratio_min=0.3),
    )
    yield from _beside_packages(bench, ours)


def _beside_packages(bench: Bench, ours: Callable[[], float]) -> Iterator[Row]:
    from benchmarks import peers  # they are installed for `make bench` alone

    for package, prepare, drain_theirs in (
        ("django-outbox-pattern", peers.outbox_pattern_publish, peers.outbox_pattern_relay),
        ("django-domain-events", peers.domain_events_publish, peers.domain_events_relay),
    ):
        yield bench.row(
            f"relay, {package}",
            ours,
            unit="events/s",
            beside=f"{package} to a receiver that does nothing",
            peer=lambda prepare=prepare, drain_theirs=drain_theirs: _after(prepare, PEER_EVENTS, drain_theirs),
            goal=Goal(ratio_min=8),
        )


def _after(prepare: Callable[[int], None], count: int, measured: Callable[[], object]) -> float:
    prepare(count)
    return rate(measured, count=count)


def publish_many(count: int, padding: str = "") -> None:
    with transaction.atomic():
        publish(*(made(Sale(), padding) for _ in range(count)))


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
