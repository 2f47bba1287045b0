"""Four groups: one writes, one answers with an event, one hears the answers, one calls a provider outside.

The provider is two files: `away` exists while it is in trouble, `calls` has a line for each question that reached it.
"""

import os
import random
import zlib
from pathlib import Path

from django.conf import settings

from eventbus import Event, RetryLater, effect, handles, publish
from tests.chaos.load_app.models import Seen

FLAKY_ONE_IN = 40  # events that fail at their first attempt in a process, so that keys are parked while faults happen
_tried: set[tuple[str, int]] = set()


class Called(Event, name="town.called", topic="calls", key="name"):
    """Somebody called."""

    name: str
    token: str


class Reminded(Event, name="town.reminded", topic="calls", key="name"):
    """The time has come for something that was arranged before."""

    name: str
    token: str


class Answered(Event, name="town.answered", topic="answers", key="name"):
    """Somebody who called was answered."""

    name: str
    token: str


@handles(Called, group="writers", backoff=(1.0, 4.0))
def write_call(event: Called) -> None:
    """It fails once after it has written, so that what is not rolled back shows."""
    _see("writers", event)
    if zlib.crc32(event.token.encode()) % FLAKY_ONE_IN == 0 and (event.token, os.getpid()) not in _tried:
        _tried.add((event.token, os.getpid()))
        raise RetryLater("at the second attempt")


@handles(Reminded, group="writers", backoff=(1.0, 4.0))
def write_reminder(event: Reminded) -> None:
    _see("writers", event)


@handles(Called, group="answerers")
def answer(event: Called) -> None:
    _see("answerers", event)
    publish(Answered(name=event.name, token=event.token))


@handles(Answered, group="readers")
def read_answer(event: Answered) -> None:
    _see("readers", event)


def record_ring(event: Reminded, answer: str) -> None:
    _see("ringers", event)


@effect(Reminded, group="ringers", record=record_ring, on_unknown_outcome="retry", backoff=(0.5, 4.0), attempts=20)
def ring(event: Reminded, *, idempotency_key: str) -> str:
    """The provider answers, is not reached, or does what it was asked and says nothing."""
    folder = Path(settings.CHAOS_FOLDER)
    troubled = (folder / "away").exists()
    if troubled and random.random() < 0.5:
        raise TimeoutError("the provider was not reached")
    with (folder / "calls").open("ab", buffering=0) as calls:
        calls.write(f"{event.token} {idempotency_key}\n".encode())
        os.fsync(calls.fileno())
    if troubled:
        raise TimeoutError("the provider did not answer in time")
    return "done"


def _see(group: str, event: Called | Reminded | Answered) -> None:
    Seen.objects.create(group=group, kind=event.wire_name, name=event.name, token=event.token)
