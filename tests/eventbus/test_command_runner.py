"""Whoever stops a command is heard, whatever the command is in the middle of."""

import signal
import threading

import pytest

from eventbus.processes.command_runner import on_signal
from tests.waiting import until

LOCK_SECONDS = 5.0  # how long `stop` tries; who holds the lock lets go of it at once


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_that_meets_the_lock_of_what_it_shall_stop_stops_it(number: int) -> None:
    """As an event's own, which the main thread holds for a moment whenever it waits for the event or sets it."""
    lock, got = threading.Lock(), []

    with on_signal(lambda: got.append(lock.acquire(timeout=LOCK_SECONDS))):
        with lock:
            signal.raise_signal(number)
        until(lambda: got, "it was asked to stop")

    assert got == [True]


def test_signals_that_follow_one_another_are_all_heard() -> None:
    stops = []
    with on_signal(lambda: stops.append(1)):
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
            signal.raise_signal(number)

    assert len(stops) == 3


def test_who_could_not_stop_is_asked_again() -> None:
    asked = []

    def stop() -> None:
        asked.append(1)
        if len(asked) == 1:
            raise ConnectionError("not now")

    with on_signal(stop):
        for number in (signal.SIGTERM, signal.SIGTERM):
            signal.raise_signal(number)

    assert len(asked) == 2
