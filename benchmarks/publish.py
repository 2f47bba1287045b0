"""What telling an event costs the caller: beside the domain row alone, and beside the bare INSERT of the same bytes."""

from collections.abc import Iterator, Sequence

from django.db import transaction

from benchmarks.measure import Goal, Row, rate
from benchmarks.sales import Sale, SaleMade, made, make_table
from benchmarks.site import Bench
from benchmarks.twins.publishing import Inserting, all_alone, each_alone
from eventbus import publish
from eventbus.ids import uuid7

TRANSACTIONS = 300  # of one round; a second's worth on a slow disk
TRANSACTIONS_QUICK = 60
AT_ONCE = 500  # a poll's changes in a busy minute


def measure(bench: Bench) -> Iterator[Row]:
    make_table()
    events = [SaleMade(order_id=uuid7(), amount=1900, currency="EUR") for _ in range(AT_ONCE)]
    twin = Inserting([made(Sale()) for _ in range(AT_ONCE)])
    count = TRANSACTIONS_QUICK if bench.quick else TRANSACTIONS
    yield bench.row(
        "publish one",
        lambda: rate(lambda: each_with_event(count), count=count),
        unit="events/s",
        beside="the row alone",
        peer=lambda: rate(lambda: each_alone(count), count=count),
        # SQLite: no round trip. PostgreSQL: one more beside BEGIN, INSERT and COMMIT.
        goal=Goal(ratio_min=0.8 if bench.database == "sqlite" else 0.6),
    )
    yield bench.row(
        f"publish {AT_ONCE} at once, with their rows",
        lambda: rate(all_with_events, count=AT_ONCE),
        unit="events/s",
        beside="the rows alone, in one bulk_create",
        peer=lambda: rate(lambda: all_alone(AT_ONCE), count=AT_ONCE),
        goal=Goal(ratio_min=0.5),
    )
    yield bench.row(
        f"publish {AT_ONCE} at once",
        lambda: rate(lambda: all_of(events), count=AT_ONCE),  # made beforehand, as the twin's rows are
        unit="events/s",
        beside="the driver's own INSERT of many rows, the same bytes",
        peer=lambda: rate(twin.insert, count=AT_ONCE),
        goal=Goal(ratio_min=0.5),
    )


def each_with_event(count: int) -> None:
    for _ in range(count):
        with transaction.atomic():
            publish(made(Sale.objects.create()))


def all_with_events() -> None:
    with transaction.atomic():
        publish(*map(made, Sale.objects.bulk_create(Sale() for _ in range(AT_ONCE))))


def all_of(events: Sequence[SaleMade]) -> None:
    with transaction.atomic():
        publish(*events)
