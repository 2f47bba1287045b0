"""Durable handling, one row written per event, beside the same statements by hand."""

from collections.abc import Callable, Iterator

from django.db import connection

from benchmarks.measure import Goal, Row, rate
from benchmarks.relay import drain, publish_many
from benchmarks.sales import LEDGER, SaleMade, skip_backlog
from benchmarks.site import Bench
from benchmarks.twins.handling import handle_log, stand_beside
from eventbus import backends, handles, registry
from eventbus.consuming.worker import Worker
from eventbus.publishing.relay import Relay
from eventbus.registry import BATCH_EVENTS

GROUP = "benchmark-ledger"
BATCHES = 10
BATCHES_QUICK = 4


@handles(SaleMade, group=GROUP)
def book(event: SaleMade) -> None:
    write(str(event.order_id), event.amount)


def write(order_id: str, amount: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {LEDGER} (order_id, amount) VALUES (%s, %s)", [order_id, amount])


def measure(bench: Bench) -> Iterator[Row]:
    count = (BATCHES_QUICK if bench.quick else BATCHES) * BATCH_EVENTS
    make_ledger()
    skip_backlog()
    stand_beside(GROUP)
    worker = Worker(registry.groups[GROUP], backends.current())
    yield bench.row(
        f"handle batches of {BATCH_EVENTS}",
        lambda: _after(publish_and_relay, count, lambda: rate(lambda: work(worker), count=count)),
        unit="events/s",
        beside="by hand: the same statements in the same batches",
        peer=lambda: rate(lambda: handle_log(count), count=count),
        goal=Goal(ratio_min=0.8),
    )


def _after(prepare: Callable[[int], None], count: int, measured: Callable[[], float]) -> float:
    prepare(count)
    return measured()


def publish_and_relay(count: int) -> None:
    publish_many(count)
    drain(Relay(backends.current()))


def make_ledger() -> None:
    number = "bigint GENERATED ALWAYS AS IDENTITY" if connection.vendor == "postgresql" else "integer"
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE IF NOT EXISTS {LEDGER} (id {number} PRIMARY KEY, order_id text, amount integer)")


def work(worker: Worker) -> None:
    while worker.step():
        pass
