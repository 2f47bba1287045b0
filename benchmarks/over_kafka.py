"""The bus over Apache Kafka and PostgreSQL: relay and durable handling, each beside the same work written by hand."""

import time
from collections.abc import Callable, Iterator

from benchmarks.handling import GROUP, make_ledger
from benchmarks.measure import Goal, Row, rate
from benchmarks.relay import drain, publish_many
from benchmarks.sales import PADDING, make_table
from benchmarks.site import Bench
from benchmarks.twins.handling import stand_beside
from benchmarks.twins.over_kafka import GIVE_UP_SECONDS, RawReader, rate_of_sending, raw_producer, relay
from eventbus import backends, registry
from eventbus.backends.base import TopicPartition
from eventbus.consuming.worker import Worker
from eventbus.models import Progress
from eventbus.publishing.relay import BATCH_ROWS, Relay
from eventbus.registry import BATCH_EVENTS

EVENTS = 5_000  # of one round
EVENTS_QUICK = 1_000


def measure(bench: Bench) -> Iterator[Row]:
    count = EVENTS_QUICK if bench.quick else EVENTS
    make_table()
    make_ledger()
    producer = raw_producer()
    yield bench.row(
        f"Kafka: relay batches of {BATCH_ROWS}",
        lambda: _after(count, lambda: drain(Relay(backends.current()))),
        unit="events/s",
        beside="by hand: SELECT, the raw client, flush, UPDATE",
        peer=lambda: _after(count, lambda: relay(producer)),
        goal=Goal(ratio_min=0.8),
    )
    yield bench.row(
        f"Kafka: relay batches of {BATCH_ROWS}, the limit",
        lambda: _after(count, lambda: drain(Relay(backends.current()))),
        unit="events/s",
        beside="the raw client alone, same settings and bytes, no database",
        peer=lambda: rate_of_sending(producer, count),
        goal=Goal(ratio_min=0.1),
    )
    yield from handling(bench, count)


def _after(count: int, measured: Callable[[], object]) -> float:
    publish_many(count, PADDING)
    return rate(measured, count=count)


def handling(bench: Bench, count: int) -> Iterator[Row]:
    """What `rate_of_sending` left in the topic has no rows: both read on from the end."""
    for row in Progress.objects.filter(group=GROUP):
        row.offset = backends.current().end(TopicPartition(row.topic, row.partition))
        row.save()
    stand_beside(GROUP)
    worker = Worker(registry.groups[GROUP], backends.current())
    reader = RawReader()
    try:
        yield bench.row(
            f"Kafka: handle batches of {BATCH_EVENTS}",
            lambda: _prepared(count, lambda: rate(lambda: work(worker, count), count=count)),
            unit="events/s",
            beside="by hand: the raw client, the same statements in the same batches",
            peer=lambda: rate(lambda: reader.work(count), count=count),
            goal=Goal(ratio_min=0.8),
        )
    finally:
        reader.close()
        worker.close()


def _prepared(count: int, measured: Callable[[], float]) -> float:
    publish_many(count, PADDING)
    drain(Relay(backends.current()))
    return measured()


def work(worker: Worker, count: int) -> None:
    deadline = time.monotonic() + GIVE_UP_SECONDS
    while count > 0:
        seen = backends.current().seen()
        moved = worker.step()
        count -= moved
        if not moved:
            backends.current().wait(seen, 0.1)
        assert time.monotonic() < deadline, f"{count} events did not come"
