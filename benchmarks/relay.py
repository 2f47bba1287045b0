"""How fast committed events reach the log: beside the least that a relay must do, and beside those one can install."""

from collections.abc import Callable, Iterator

from django.db import transaction

from benchmarks.measure import Goal, Row, rate
from benchmarks.sales import Sale, made
from benchmarks.site import Bench
from benchmarks.twins import relaying
from eventbus import backends, publish
from eventbus.publishing.relay import BATCH_ROWS, Relay

BATCHES = 10
BATCHES_QUICK = 4
PEER_EVENTS = 500  # of one round of a package: they do some thousands a second at best


def measure(bench: Bench) -> Iterator[Row]:
    batches = BATCHES_QUICK if bench.quick else BATCHES
    count = batches * BATCH_ROWS
    relay = Relay(backends.current())
    drain(relay)
    relaying.make_table()

    def ours() -> float:
        return _after(publish_many, count, lambda: drain(relay))

    yield bench.row(
        f"relay batches of {BATCH_ROWS}",
        ours,
        unit="events/s",
        beside="by hand: one SELECT and one UPDATE a batch, sending to nothing",
        peer=lambda: _after(relaying.fill, count, lambda: relaying.drain(BATCH_ROWS)),
        goal=Goal(ratio_min=0.3),
    )
    yield from _beside_packages(bench, ours)


def _beside_packages(bench: Bench, ours: Callable[[], float]) -> Iterator[Row]:
    from benchmarks.twins import domain_events, outbox_pattern  # the packages are installed for `make bench` alone

    for package, twin in (("django-outbox-pattern", outbox_pattern), ("django-domain-events", domain_events)):
        yield bench.row(
            f"relay, {package}",
            ours,
            unit="events/s",
            beside=f"{package} to a receiver that does nothing",
            peer=lambda twin=twin: _after(twin.publish, PEER_EVENTS, twin.relay),
            goal=Goal(ratio_min=8, firm=True),
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
