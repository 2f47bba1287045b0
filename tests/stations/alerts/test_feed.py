"""A rider is told when the figures of a feed no longer come, and hiccups are none."""

from collections.abc import Callable
from time import perf_counter

from django.core import mail

from eventbus import clock
from eventbus.testing import settle
from stations.feeds.feed_interface import PollFailed
from stations.models import Alert
from stations.services import recording
from tests.stations.alerts.conftest import Town

Asks = Callable[..., Alert]


def fail(*, minutes: float) -> None:
    """Let time pass, then let a poll fail."""
    clock.advance(minutes=minutes)
    poll = recording.Poll(feed="simulator", asked_at=clock.now(), began=perf_counter(), failed=PollFailed("HTTP 502"))
    recording.record_poll(poll=poll, now=clock.now())
    settle()


def subjects() -> list[str]:
    return [str(one.subject) for one in mail.outbox]


def test_a_feed_that_fails_for_long_is_told_once(town: Town, asks: Asks) -> None:
    asks("feed")
    for _ in range(10):
        fail(minutes=1)
    assert subjects() == [], "ten minutes are no outage"

    for _ in range(5):
        fail(minutes=1)

    assert subjects() == ["No new figures come – BELLECOUR"]


def test_a_failing_feed_ends_no_other_alert_and_begins_none(town: Town, asks: Asks) -> None:
    asks("bikes")

    fail(minutes=20)

    assert subjects() == []
