"""A city with a station in every state that a station can be in, and a process that remembers no other test's."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from stations.feeds.feed_interface import Bad
from stations.feeds.quarantine import Hold
from stations.models import Station
from stations.open_data import kept_answers, kept_systems, request_limit
from tests.stations.socket_client import NOON, key, polled, state

FEED = "jcdecaux:lyon"
REPORTED = NOON - timedelta(minutes=3)
FROZEN_SINCE = NOON - timedelta(minutes=10)
OPEN, EMPTY_KINDS, CLOSED, SILENT, FROZEN, WORDLESS, ANYWHERE, HELD, GONE = range(1, 10)
FOR_RIDERS = (OPEN, EMPTY_KINDS, CLOSED, SILENT, FROZEN, WORDLESS, ANYWHERE)


@pytest.fixture(autouse=True)
def _nothing_is_remembered() -> Iterator[None]:
    kept_systems.forget()
    kept_answers.forget()
    request_limit.forget()
    yield
    kept_systems.forget()
    kept_answers.forget()


@pytest.fixture
def lyon(settings: Any) -> str:
    """The feed's name in addresses. Each number is a station in the state of that name."""
    settings.STATIONS_FEEDS = [FEED, "gbfs:bici=https://user:secret@bike.example/gbfs.json?key=secret"]
    settings.STATIONS_PRIVATE_FEEDS = True
    stations = {
        OPEN: state(name="BELLECOUR", bikes=10, mechanical=6, electrical=4, stands=9),
        EMPTY_KINDS: state(bikes=3, mechanical=None, electrical=None, address=""),
        CLOSED: state(status="CLOSED", bikes=0, mechanical=0, electrical=0, stands=0),
        SILENT: state(connected=False),
        FROZEN: state(bikes=2, mechanical=2, electrical=0, stands=8),
        WORDLESS: state(status="UNKNOWN"),
        ANYWHERE: state(stands=None, capacity=12),
        HELD: state(held=Hold.TEST_BENCH.value),
        GONE: state(),
    }
    found = {key(number, feed=FEED): one for number, one in stations.items()}
    polled(found, feed=FEED, at=FROZEN_SINCE)
    frozen, gone = key(FROZEN, feed=FEED), key(GONE, feed=FEED)
    rest = {where: one for where, one in found.items() if where not in (frozen, gone)}
    polled(rest, feed=FEED, gone=[gone], faults={frozen: Bad.SUM}, at=NOON)
    Station.objects.filter(feed=FEED).update(reported_at=REPORTED)
    Station.objects.filter(feed=FEED, number=WORDLESS).update(reported_at=None)
    Station.objects.filter(feed=FEED, number=FROZEN).update(seen_at=FROZEN_SINCE)
    return "jcdecaux-lyon"
