"""Two groups whose handlers publish to one topic in batches, at the same time: beside one group alone."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from uuid import UUID

from django.db import connections
from django.db.models import Sum

from benchmarks.measure import Goal, Row, seconds
from benchmarks.relay import drain, publish_many
from benchmarks.sales import SaleMade, skip_backlog
from benchmarks.site import Bench
from eventbus import Event, backends, handles, publish, registry
from eventbus.consuming.worker import Worker
from eventbus.models import Progress
from eventbus.progress import group_starts
from eventbus.publishing.relay import Relay

GROUPS = ("benchmark-echo-a", "benchmark-echo-b")
EVENTS = 1_500  # for each group: those of a busy minute
SECONDS_MAX = 2.5  # for both together, where one alone takes less than one
LOOK_SECONDS = 0.01  # between two looks at the offsets: the error of a figure
ROUNDS = 5  # a round takes some seconds


class SaleEchoed(Event, name="benchmark.sale_echoed", topic="benchmark-echoes", key="order_id"):
    """A sale was heard of."""

    order_id: UUID


def measure(bench: Bench) -> Iterator[Row]:
    with declared():
        yield bench.row(
            f"two groups that publish, {EVENTS} events each",
            partial(handled_by, GROUPS),
            unit="s",
            beside="one of them alone",
            peer=partial(handled_by, GROUPS[:1]),
            goal=Goal(worst_at_most=SECONDS_MAX),
            rounds=min(bench.rounds, ROUNDS),
        )


@contextmanager
def declared() -> Iterator[None]:
    """The groups are there meanwhile, and in no other benchmark."""
    for group in GROUPS:
        handles(SaleMade, group=group)(echo)
    try:
        group_starts.ensure(backends.current(), [registry.groups[group] for group in GROUPS])
        yield
    finally:
        for group in GROUPS:
            del registry.groups[group]


def echo(event: SaleMade) -> None:
    publish(SaleEchoed(order_id=event.order_id))


def handled_by(groups: Sequence[str]) -> float:
    """Return the seconds from the workers' start until these groups have handled what was appended before."""
    skip_backlog()
    publish_many(EVENTS)
    drain(Relay(backends.current()))
    goal = reached(groups) + EVENTS * len(groups)
    with ExitStack() as running:
        return seconds(lambda: work(groups, goal, running))


def work(groups: Sequence[str], goal: int, running: ExitStack) -> None:
    for group in groups:
        running.enter_context(working(group))
    while reached(groups) < goal:
        time.sleep(LOOK_SECONDS)


@contextmanager
def working(group: str) -> Iterator[None]:
    stop = threading.Event()

    def run() -> None:
        try:
            Worker(registry.groups[group], backends.current(), stop).run()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        backends.current().wake()
        thread.join()


def reached(groups: Sequence[str]) -> int:
    """Return the sum of the groups' offsets."""
    return int(Progress.objects.filter(group__in=groups).aggregate(sum=Sum("offset"))["sum"] or 0)
