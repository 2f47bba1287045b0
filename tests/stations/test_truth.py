"""What a feed no longer says truly is shown as that within one poll: down, frozen, shortened, resting, stale."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client

from stations.feeds.feed_errors import Failure
from stations.models import PollRun
from stations.polling.poller import Poller
from stations.services.poll_schedule import plan_of
from tests.stations.gbfs_server import GbfsServer, feed_of, info, stations, status

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
IDS = [f"s{n}" for n in range(10)]


class System:
    """A system of ten stations, its poller, and the pages that a visitor sees."""

    def __init__(self, served: GbfsServer, client: Client, bus_clock: Any) -> None:
        self.served, self.client, self.clock, self.now = served, client, bus_clock, NOON
        self.url = served.system("x", station_information=stations([info(one) for one in IDS]), station_status={})
        self.says()
        self.poller = Poller(feed_of(self.url))

    def says(self, ids: list[str] = IDS, *, age: float = 0, **odd: dict[str, Any]) -> None:
        rows = [status(one, **odd.get(one, {})) for one in ids]
        told = stations(rows, last_updated=self.now.timestamp() - age)
        self.served.put("/x/station_status.json", told)

    def poll(self, minutes: float = 1) -> PollRun:
        self.now += timedelta(minutes=minutes)
        self.clock.hold(self.now)
        return self.poller.poll()

    def page(self, path: str = "/stations/") -> str:
        answer = self.client.get(path, headers={"accept-language": "en"})
        return unescape(re.sub(r"<[^>]*>", " ", answer.content.decode()))


@pytest.fixture
def system(served: GbfsServer, client: Client, bus_clock: Any, settings: Any) -> System:
    made = System(served, client, bus_clock)
    settings.STATIONS_FEEDS = [f"gbfs:here={made.url}"]
    assert made.poll().outcome == "ok"
    assert "Live from the feed" in made.page()
    return made


def test_a_feed_that_is_down_is_not_live(system: System) -> None:
    system.served.put("/x/station_status.json", b"", 503)

    assert system.poll().outcome == "failed"

    for path in ("/stations/", "/stations/gbfs-here/s1/"):
        assert Failure.THEIR_ERROR in system.page(path)
    assert "From the feed, not live" in system.page()


def test_a_feed_that_answers_with_old_data_is_stale(system: System) -> None:
    system.says(age=2 * 3600)

    assert system.poll().outcome == "ok"

    for path in ("/stations/", "/stations/gbfs-here/s1/"):
        assert "answers, but what it says is old" in system.page(path)
    assert "From the feed, not live" in system.page()


def test_a_feed_that_is_down_keeps_no_other_from_its_rest(system: System, settings: Any) -> None:
    """Only feeds that share a key share a rest."""
    settings.STATIONS_FEEDS = [*settings.STATIONS_FEEDS, "gbfs:other=https://example.org/gbfs.json"]
    system.served.put("/x/station_status.json", b"", 429, Retry_After="120")

    system.poll()

    assert plan_of("gbfs:other", now=system.now).not_before is None
