"""A feed that writes nonsense, by mistake or on purpose, ends no poll and breaks no page."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from outside.http import is_public
from stations.feeds.feed_errors import Failure
from stations.feeds.feed_interface import Bad, PollFailed, updated_at
from stations.feeds.formats.gbfs import STATIONS_MAX
from stations.feeds.formats.gbfs_rows import time_of
from stations.feeds.validation import is_station_id, text_of
from tests.stations.gbfs_server import GbfsServer, feed_of, fetch, info, stations, status, told

LAST_SECOND = 253_402_300_799  # of the year 9999
HUGE = 10**400
NEXT_YEAR = datetime.now(UTC) + timedelta(days=365)


def system(served: GbfsServer, information: list[Any], rows: list[Any], **more: Any) -> str:
    return served.system("x", station_information=stations(information), station_status=stations(rows), **more)


@pytest.mark.parametrize("value", [LAST_SECOND, "9999-12-31T23:59:59Z", 4_102_444_800])
def test_a_time_of_another_century_is_none(value: object) -> None:
    assert time_of(value) is None


def test_a_clock_that_is_ahead_makes_no_answer_newer_than_our_question(served: GbfsServer) -> None:
    now = datetime.now(UTC)
    ahead = int(NEXT_YEAR.timestamp())
    url = served.system(
        "x",
        station_information=stations([info()]),
        station_status=stations([status(last_reported=ahead)], last_updated=ahead),
    )

    assert updated_at(fetch(url), now) == now


def test_half_a_character_in_a_name_is_left_out(served: GbfsServer) -> None:
    url = system(served, [info(name="Here\ud800")], [status()])

    assert told(fetch(url))["a"].name == "Here"


def test_a_number_that_nothing_can_hold_is_a_bad_row(served: GbfsServer) -> None:
    url = system(served, [info(lat=HUGE), info("b")], [status(), status("b")])

    fetched = fetch(url)

    assert (set(told(fetched)), fetched.bad[Bad.COORDINATES]) == ({"b"}, 1)


def test_an_address_that_is_none_matters_only_where_it_is_asked(served: GbfsServer) -> None:
    url = system(served, [info()], [status()])
    feeds = [{"name": name, "url": f"{served.url}/x/{name}.json"} for name in ("station_information", "station_status")]
    served.put("/x/gbfs.json", {"data": {"fr": {"feeds": [*feeds, {"name": "system_alerts", "url": "http://[bad"}]}}})

    assert set(told(fetch(url))) == {"a"}

    feeds[1]["url"] = "http://[bad"
    served.put("/x/gbfs.json", {"data": {"fr": {"feeds": feeds}}})
    with pytest.raises(PollFailed) as failed:
        fetch(url)
    assert failed.value.reason == Failure.NO_ADDRESS


def test_a_list_without_end_is_refused(served: GbfsServer) -> None:
    url = system(served, [], [{"station_id": str(n)} for n in range(STATIONS_MAX + 1)])

    with pytest.raises(PollFailed) as failed:
        fetch(url)

    assert failed.value.reason == Failure.TOO_LARGE


def test_what_may_be_missing_is_asked_last_and_left_alone_after_a_failure(served: GbfsServer) -> None:
    url = system(served, [info()], [status()], vehicle_types={"data": {}})
    served.put("/x/vehicle_types.json", {}, 429, Retry_After="120")
    feed = feed_of(url)

    assert set(told(feed.fetch())) == {"a"}
    asked = served.asked["/x/vehicle_types.json"]
    feed.fetch()

    assert list(served.asked).index("/x/station_status.json") < list(served.asked).index("/x/vehicle_types.json")
    assert served.asked["/x/vehicle_types.json"] == asked


def test_a_service_of_a_whole_country_is_no_city_with_stations_far_away(served: GbfsServer) -> None:
    places = [(47.0 + n % 20 / 3, 6.0 + n // 20 / 3) for n in range(300)]
    url = system(
        served,
        [info(n, lat=lat, lon=lon) for n, (lat, lon) in enumerate(places)],
        [status(n) for n in range(len(places))],
    )

    assert [state.held for state in told(fetch(url)).values() if state.held] == []


@pytest.mark.parametrize("text", ["../../../accounts/logout", "x/..", "./x", ".."])
def test_an_id_that_leads_to_another_page_is_refused(text: str) -> None:
    assert not is_station_id(text)
    assert is_station_id("a..b/c.d")


def test_a_text_of_megabytes_is_cut_before_it_is_kept() -> None:
    assert text_of("x" * 10_000_000, 5) == "xxxxx"


@pytest.mark.parametrize("address", ["fec0::1", "::127.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1"])
def test_old_ways_to_write_a_private_address_are_private(address: str) -> None:
    assert not is_public(address)
    assert is_public("2606:4700::1111")
