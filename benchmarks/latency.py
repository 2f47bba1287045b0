"""From the start of a publishing transaction to the commit of what its handler wrote, with the dispatcher's threads."""

import threading
from collections.abc import Iterator

from django.db import transaction

from benchmarks.measure import Goal, Row, milliseconds
from benchmarks.sales import Sale, SaleMade, made, make_table
from benchmarks.site import Bench
from eventbus import handles, publish
from eventbus.dispatcher import Dispatcher

EVENTS = 100  # one at a time, each a round
EVENTS_QUICK = 30
GIVE_UP_SECONDS = 30
_handled = threading.Event()


@handles(SaleMade, group="benchmark")
def note_sale(event: SaleMade) -> None:
    Sale.objects.filter(order_id=event.order_id).update(amount=event.amount + 1)
    transaction.on_commit(_handled.set)


def measure(bench: Bench) -> Iterator[Row]:
    make_table()
    dispatcher = Dispatcher.start_in_process()
    try:
        _until_handled(GIVE_UP_SECONDS)
        yield bench.row(
            "published to handled",
            lambda: milliseconds(_until_handled),
            unit="ms",
            beside="the same two transactions, one after the other in one thread",
            peer=lambda: milliseconds(two_transactions),
            goal=Goal(at_most=50),
            rounds=EVENTS_QUICK if bench.quick else EVENTS,
        )
    finally:
        dispatcher.close()


def _until_handled(seconds: float = GIVE_UP_SECONDS) -> None:
    _handled.clear()
    with transaction.atomic():
        publish(made(Sale.objects.create()))
    if not _handled.wait(seconds):
        raise TimeoutError(f"not handled within {seconds} s")


def two_transactions() -> None:
    with transaction.atomic():
        sale = Sale.objects.create()
    with transaction.atomic():
        Sale.objects.filter(order_id=sale.order_id).update(amount=sale.amount + 1)
