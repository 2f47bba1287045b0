"""From COMMIT to handled over Kafka, at a low rate and at a high one, with the threads of one process."""

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from uuid import UUID

from django.db import transaction

from benchmarks.measure import Goal, Row, p99
from benchmarks.sales import PADDING, Sale, SaleMade, made, make_table, skip_backlog
from benchmarks.site import Bench
from eventbus import handles, publish, registry
from eventbus.ids import uuid7s
from eventbus.processes.dispatcher import Dispatcher
from eventbus.processes.worker_pool import WorkerPool

GROUP = "benchmark"
RATES = {10: 1, 1_000: 50}  # events a second, and how many of them a transaction
SECONDS, SECONDS_QUICK = 5.0, 2.0  # of one round
ROUNDS = 5
GIVE_UP_SECONDS = 60
LOW_RATE_P99_MS = 50.0
_handled: dict[UUID, float] = {}  # when, on the monotonic clock
_more = threading.Condition()


@handles(SaleMade, group=GROUP)
def note_sale(event: SaleMade) -> None:
    Sale.objects.filter(id=event.order_id).update(amount=event.amount + 1)
    transaction.on_commit(lambda: _note(event.order_id))


def _note(order_id: UUID) -> None:
    with _more:
        _handled[order_id] = time.monotonic()
        _more.notify_all()


def measure(bench: Bench) -> Iterator[Row]:
    make_table()
    skip_backlog()
    seconds = SECONDS_QUICK if bench.quick else SECONDS
    dispatcher, workers = Dispatcher(), WorkerPool([registry.groups[GROUP]])
    dispatcher.start()
    workers.start()
    try:
        waits(10, 1, 1.0)  # until everybody has joined
        for rate, at_once in RATES.items():
            for name, figure in (("median", statistics.median), ("p99", p99)):
                yield _row(bench, rate, at_once, seconds, name, figure)
    finally:
        workers.close()
        dispatcher.close()


def _row(
    bench: Bench, rate: int, at_once: int, seconds: float, name: str, figure: Callable[[list[float]], float]
) -> Row:
    low = rate == min(RATES)
    return bench.row(
        f"Kafka: commit to handled at {rate:,} a second, {name}",
        lambda: figure(waits(rate, at_once, seconds)),
        unit="ms",
        beside="the goal for the low rate",
        peer=lambda: LOW_RATE_P99_MS,
        goal=Goal(at_most=LOW_RATE_P99_MS) if low else Goal(),
        rounds=ROUNDS,
    )


def waits(rate: int, at_once: int, seconds: float) -> list[float]:
    """For each event, the milliseconds from its COMMIT to its handler's."""
    _handled.clear()
    committed: dict[UUID, float] = {}
    begun = time.monotonic()
    for number in range(int(seconds * rate / at_once)):
        time.sleep(max(0.0, begun + number * at_once / rate - time.monotonic()))
        sales = [Sale(id=one, order_id=one) for one in uuid7s(at_once)]
        with transaction.atomic():
            Sale.objects.bulk_create(sales)
            publish(*(made(sale, PADDING) for sale in sales))
        committed |= dict.fromkeys((sale.order_id for sale in sales), time.monotonic())
    with _more:
        all_came = _more.wait_for(lambda: committed.keys() <= _handled.keys(), GIVE_UP_SECONDS)
    assert all_came, f"{len(committed.keys() - _handled.keys())} events were not handled"
    return [1000 * (_handled[order_id] - at) for order_id, at in committed.items()]
