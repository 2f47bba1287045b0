"""What telling an event costs the caller: a domain row with its event beside the same row alone."""

from collections.abc import Iterator

from django.db import transaction

from benchmarks.measure import Goal, Row, rate
from benchmarks.sales import Sale, made, make_table
from benchmarks.site import Bench
from eventbus import publish

TRANSACTIONS = 300  # of one round; a second's worth on a slow disk
TRANSACTIONS_QUICK = 60
AT_ONCE = 500  # a poll's changes in a busy minute


def measure(bench: Bench) -> Iterator[Row]:
    make_table()
    count = TRANSACTIONS_QUICK if bench.quick else TRANSACTIONS
    yield bench.row(
        "publish one",
        lambda: rate(lambda: each_with_event(count), count=count),
        unit="events/s",
        beside="the row alone",
        peer=lambda: rate(lambda: each_alone(count), count=count),
        goal=Goal(ratio_min=0.6),
    )
    yield bench.row(
        f"publish {AT_ONCE} at once",
        lambda: rate(all_with_events, count=AT_ONCE),
        unit="events/s",
        beside="the rows alone, in one bulk_create",
        peer=lambda: rate(all_alone, count=AT_ONCE),
        goal=Goal(ratio_min=0.4),
    )


def each_with_event(count: int) -> None:
    for _ in range(count):
        with transaction.atomic():
            publish(made(Sale.objects.create()))


def each_alone(count: int) -> None:
    for _ in range(count):
        with transaction.atomic():
            Sale.objects.create()


def all_with_events() -> None:
    with transaction.atomic():
        publish(*map(made, Sale.objects.bulk_create(Sale() for _ in range(AT_ONCE))))


def all_alone() -> None:
    with transaction.atomic():
        Sale.objects.bulk_create(Sale() for _ in range(AT_ONCE))
