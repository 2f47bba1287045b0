"""What a feed no longer says truly is shown as that within one poll: down, frozen, shortened, resting, stale."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
from django.test import Client

from stations.feeds.feed_errors import Failure
from stations.models import PollRun, Station
from stations.polling.poller import Poller
from stations.services.poll_schedule import plan_of
from tests.stations.gbfs_server import GbfsServer, feed_of, info, stations, status
from tests.stations.test_poller_care import Ticks

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


def test_a_row_that_turned_bad_is_frozen_and_says_when_it_was_last_good(system: System) -> None:
    last_good = system.poll()
    system.says(s1={"num_bikes_available": -1})

    assert system.poll().outcome == "ok"

    station = Station.objects.get(station_id="s1")
    assert (station.bikes, station.bad, station.seen_at) == (3, "counts negative or beyond belief", last_good.started)
    page = system.page("/stations/gbfs-here/s1/")
    assert re.search(r"has been unreadable since\s+2026-05-01 12:03:00", page)
    assert re.search(r"Last sign of life\s+2026-05-01 12:02:00", page)
    assert re.search(r"Last sign of life\s+2026-05-01 12:03:00", system.page("/stations/gbfs-here/s2/"))
    assert system.client.get("/stations/").context["total"].stations == 9


def test_a_list_of_60_percent_is_held_until_a_second_answer_is_the_same(system: System) -> None:
    system.served.put("/x/station_information.json", stations([info(one) for one in IDS[:6]]))
    system.says(IDS[:6])
    poller = system.poller = Poller(feed_of(system.url))  # its names are read anew

    assert system.poll().reason == Failure.SHORTENED
    assert Failure.SHORTENED in system.page()
    assert system.client.get("/stations/").context["total"].stations == 10

    assert system.poll().outcome == "ok"
    assert system.client.get("/stations/").context["total"].stations == 6
    assert poller.state_age() == timedelta(0)


def test_no_request_comes_within_the_120_seconds_that_a_feed_asks_for(system: System) -> None:
    system.served.put("/x/station_status.json", b"", 429, Retry_After="120")
    assert system.poll().reason == Failure.TOO_MANY
    assert Failure.TOO_MANY in system.page()
    asked, rest_ends = system.served.asked.total(), system.now + timedelta(seconds=120)

    system.clock.hold(rest_ends - timedelta(seconds=1))
    Poller(feed_of(system.url), stop=Ticks(3)).run()
    assert system.served.asked.total() == asked
    assert plan_of("gbfs:here", now=system.now).not_before == rest_ends

    system.says()
    system.clock.hold(rest_ends)
    Poller(feed_of(system.url), stop=Ticks(1)).run()
    assert PollRun.objects.latest("pk").outcome == "ok"
