"""From a publisher's COMMIT to the commit of what its handler wrote, with the dispatcher's threads."""

import statistics
import threading
import time
from collections.abc import Callable, Iterator

from django.db import transaction

from benchmarks.measure import Goal, Row, milliseconds, p99
from benchmarks.sales import Sale, SaleMade, made, make_table, skip_backlog
from benchmarks.site import Bench
from eventbus import handles, publish
from eventbus.processes.dispatcher import Dispatcher

RATE_PER_SECOND = 20
EVENTS = 100  # of one round: a p99 of fewer is a maximum
EVENTS_QUICK = 40
ROUNDS = 5
GIVE_UP_SECONDS = 30
_handled = threading.Event()


@handles(SaleMade, group="benchmark")
def note_sale(event: SaleMade) -> None:
    Sale.objects.filter(order_id=event.order_id).update(amount=event.amount + 1)
    transaction.on_commit(_handled.set)


def measure(bench: Bench) -> Iterator[Row]:
    make_table()
    events = EVENTS_QUICK if bench.quick else EVENTS
    skip_backlog()
    dispatcher = Dispatcher.start_in_process()
    try:
        commit_to_handled()
        yield bench.row(
            "commit to handled, median",
            lambda: statistics.median(paced(commit_to_handled, events)),
            unit="ms",
            beside="a second transaction in the same thread",
            peer=lambda: statistics.median(paced(second_transaction, events)),
            goal=Goal(at_most=10),
            rounds=ROUNDS,
        )
        yield bench.row(
            "commit to handled, p99",
            lambda: p99(paced(commit_to_handled, events)),
            unit="ms",
            beside="a second transaction in the same thread",
            peer=lambda: p99(paced(second_transaction, events)),
            goal=Goal(at_most=20),
            rounds=ROUNDS,
        )
    finally:
        dispatcher.close()


def paced(work: Callable[[], float], events: int) -> list[float]:
    """Some figures taken at RATE_PER_SECOND: the bus rests in between, as it does on a quiet site."""
    figures = []
    for number in range(events):
        began = time.monotonic()
        figures.append(work())
        if number + 1 < events:
            time.sleep(max(0.0, 1 / RATE_PER_SECOND - (time.monotonic() - began)))
    return figures


def commit_to_handled() -> float:
    _handled.clear()
    with transaction.atomic():
        publish(made(Sale.objects.create()))
    return milliseconds(_wait)


def _wait() -> None:
    if not _handled.wait(GIVE_UP_SECONDS):
        raise TimeoutError(f"not handled within {GIVE_UP_SECONDS} s")


def second_transaction() -> float:
    with transaction.atomic():
        sale = Sale.objects.create()
    return milliseconds(lambda: _update(sale))


def _update(sale: Sale) -> None:
    with transaction.atomic():
        Sale.objects.filter(order_id=sale.order_id).update(amount=sale.amount + 1)
