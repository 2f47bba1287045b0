"""What a request that writes waits for while the workers drain a backlog, beside the same write when all is quiet.

One write is in a transaction, the next is a lone statement, and so on: requests do both.
"""

import time
from collections.abc import Callable, Iterator
from itertools import cycle

from django.db import transaction
from django.db.models import Sum

from benchmarks.handling import GROUP, make_ledger
from benchmarks.measure import Goal, Row, milliseconds, p99
from benchmarks.relay import publish_many
from benchmarks.sales import Sale, make_table, skip_backlog
from benchmarks.site import Bench
from eventbus.dispatcher import Dispatcher
from eventbus.models import Progress

BACKLOG = 50_000  # events, in each round
BACKLOG_QUICK = 10_000
ROUNDS = 5
PUBLISHED_AT_ONCE = 500
QUIET_WRITES = 200
BETWEEN_SECONDS = 0.005  # a request does more than write
WAIT_MS_MAX = 250.0


def measure(bench: Bench) -> Iterator[Row]:
    make_table()
    make_ledger()
    skip_backlog()
    backlog = BACKLOG_QUICK if bench.quick else BACKLOG
    yield bench.row(
        "a write while a backlog is drained",
        lambda: p99(writes_during(backlog)),
        unit="ms p99",
        beside=f"the same writes when all is quiet; drained: {backlog:,} events",
        peer=lambda: p99([write() for _ in range(QUIET_WRITES)]),
        goal=Goal(worst_at_most=WAIT_MS_MAX),
        rounds=ROUNDS,
    )


def writes_during(backlog: int) -> list[float]:
    """Every write of one thread from the moment the dispatcher begins until all is handled, in milliseconds."""
    for _ in range(backlog // PUBLISHED_AT_ONCE):
        publish_many(PUBLISHED_AT_ONCE)
    wanted = handled() + backlog
    dispatcher = Dispatcher.start_in_process()
    try:
        return list(_until(lambda: handled() >= wanted))
    finally:
        dispatcher.close()


def handled() -> int:
    return Progress.objects.filter(group=GROUP).aggregate(sum=Sum("handled"))["sum"] or 0


def _until(done: Callable[[], bool]) -> Iterator[float]:
    while not done():
        yield write()
        time.sleep(BETWEEN_SECONDS)


def write() -> float:
    return milliseconds(next(_sells))


def _in_transaction() -> None:
    with transaction.atomic():
        Sale.objects.create()


def _alone() -> None:
    """As a view without a transaction writes: the statement is its own."""
    Sale.objects.create()


_sells = cycle((_in_transaction, _alone))
