"""What the producer's page steers, within what a feed can bear."""

from datetime import UTC, datetime

import pytest

from stations.models import PollPlan
from stations.services.poll_schedule import (
    INTERVAL_MS_MAX,
    REAL_INTERVAL_MS_MIN,
    SIMULATED_INTERVAL_MS_MIN,
    IntervalOutOfRange,
    call_made,
    plan_of,
    steer,
)

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


def test_a_feed_is_polled_until_stopped_unless_told_otherwise(settings):
    settings.STATIONS_POLL_INTERVAL_MS = 2500

    plan = plan_of("simulator", now=NOON)

    assert (plan.running, plan.interval_ms, plan.calls_left) == (True, 2500, 0)
    assert PollPlan.objects.get() == plan_of("simulator", now=NOON)


def test_after_the_last_call_the_feed_rests():
    steer(feed="simulator", now=NOON, calls=2)

    call_made("simulator")
    assert plan_of("simulator", now=NOON).running
    call_made("simulator")

    plan = plan_of("simulator", now=NOON)
    assert (plan.running, plan.calls_left) == (False, 0)


@pytest.mark.parametrize(
    ("feed", "interval_ms"),
    [
        ("simulator", SIMULATED_INTERVAL_MS_MIN - 1),
        ("jcdecaux:lyon", REAL_INTERVAL_MS_MIN - 1),
        ("jcdecaux", SIMULATED_INTERVAL_MS_MIN),
        ("simulator", INTERVAL_MS_MAX + 1),
    ],
)
def test_an_interval_that_a_feed_cannot_bear_is_refused(feed: str, interval_ms: int):
    with pytest.raises(IntervalOutOfRange):
        steer(feed=feed, now=NOON, interval_ms=interval_ms)
