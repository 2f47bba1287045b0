"""Begins and runs replays of the house's groups, for tests."""

import threading
from collections.abc import Callable
from typing import Any

from django.db import connections

from eventbus import registry
from eventbus.models import ReplayRun
from eventbus.repairs import replay
from eventbus.repairs.replay import Replay
from eventbus.repairs.replay_filter import ReplayFilter

VASE = ("vase", 1)


def wanted(group: str = "house-a", **limits: Any) -> ReplayFilter:
    return ReplayFilter(group=registry.groups[group], topics=["house"], **limits)


def begun(group: str = "house-a", **limits: Any) -> ReplayRun:
    return replay.begin(wanted(group, **limits), "ada")[0]


def replayed(group: str = "house-a", **limits: Any) -> ReplayRun:
    run = begun(group, **limits)
    Replay(run, threading.Event()).go()
    return run


def stopped_after(run: ReplayRun, batches: int) -> None:
    stop = threading.Event()
    left = iter(range(batches - 1, -1, -1))
    Replay(run, stop, lambda run: None if next(left) else stop.set()).go()


def in_thread(work: Callable[[], None]) -> threading.Thread:
    def run() -> None:
        try:
            work()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread
