"""How much one, two and four processes of handlers handle over Kafka, on the machine that runs the rest as well."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

from benchmarks.backlog import handled
from benchmarks.handling import GROUP, make_ledger
from benchmarks.measure import Goal, Row, rate
from benchmarks.relay import drain, publish_many
from benchmarks.sales import PADDING, make_table
from benchmarks.site import Bench
from eventbus import backends
from eventbus.backends.base import TopicPartition
from eventbus.models import Progress
from eventbus.publishing.relay import Relay

PROCESSES = (1, 2, 4)
EVENTS, EVENTS_QUICK = 10_000, 3_000  # of one round
ROUNDS = 5
GIVE_UP_SECONDS = 120
LOOK_SECONDS = 0.02


def measure(bench: Bench) -> Iterator[Row]:
    make_table()
    make_ledger()
    count = EVENTS_QUICK if bench.quick else EVENTS
    for processes in PROCESSES:
        with ExitStack() as stack:
            for _ in range(processes):
                stack.enter_context(Handling())
            yield bench.row(
                f"Kafka: {processes} processes of handlers",
                lambda: rate_of(count),
                unit="events/s",
                beside="the relay alone, of as many",
                peer=lambda: rate_of_relay(count),
                goal=Goal(),
                rounds=ROUNDS,
            )


class Handling:
    """A process of handlers, from the `with` on until its end."""

    def __enter__(self) -> None:
        self._process = subprocess.Popen([sys.executable, "-m", "benchmarks.handling_process"])

    def __exit__(self, *error: Any) -> None:
        self._process.send_signal(signal.SIGTERM)
        self._process.wait()


def rate_of(count: int) -> float:
    """Events a second from the first that is handled to the last, all of them in the log beforehand or meanwhile."""
    wait_for(lambda: pending() == 0)
    before = handled()
    publish_many(count, PADDING)
    drain(Relay(backends.current()))
    begun, at_begin = time.monotonic(), handled()
    wait_for(lambda: handled() >= before + count)
    return (before + count - at_begin) / (time.monotonic() - begun)


def rate_of_relay(count: int) -> float:
    publish_many(count, PADDING)
    return rate(lambda: drain(Relay(backends.current())), count=count)


def pending() -> int:
    """Of the log, what the group has not handled."""
    rows = Progress.objects.filter(group=GROUP)
    return sum(backends.current().end(TopicPartition(row.topic, row.partition)) - row.offset for row in rows)


def wait_for(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + GIVE_UP_SECONDS
    while not done():
        assert time.monotonic() < deadline, f"{pending()} events were not handled"
        time.sleep(LOOK_SECONDS)
