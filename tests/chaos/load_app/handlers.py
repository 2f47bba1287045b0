"""Four groups: one writes, one answers with an event, one hears the answers, one calls outside."""

import os
import zlib

from django.conf import settings

from eventbus import RetryLater, effect, handles, publish
from tests.chaos.load_app import poison_switch, provider_stub
from tests.chaos.load_app.events import Answered, Called, Reminded
from tests.chaos.load_app.models import Seen

FLAKY_ONE_IN = 40  # events that fail at their first attempt in a process, so that keys are parked while faults happen
_tried: set[tuple[str, int]] = set()


@handles(Called, group="writers", backoff=(1.0, 4.0))
def write_call(event: Called) -> None:
    _see("writers", event)
    poison_switch.hurt(event.name)
    _fail_once(event.token)


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


@effect(
    Reminded,
    group="ringers",
    record=record_ring,
    on_unknown_outcome="retry",
    backoff=(0.5, 4.0),
    attempts=20,
)
def ring(event: Reminded, *, idempotency_key: str) -> str:
    return provider_stub.call(idempotency_key, event.token)


def _see(group: str, event: Called | Reminded | Answered) -> None:
    Seen.objects.create(
        group=group, kind=event.wire_name, name=event.name, token=event.token, release=settings.CHAOS_RELEASE
    )


def _fail_once(token: str) -> None:
    """After it has written, so that what is not rolled back shows."""
    if zlib.crc32(token.encode()) % FLAKY_ONE_IN == 0 and (token, os.getpid()) not in _tried:
        _tried.add((token, os.getpid()))
        raise RetryLater("at the second attempt")
