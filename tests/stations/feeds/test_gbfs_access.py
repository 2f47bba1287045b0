"""The way to a GBFS system: what has not changed, redirects, rests, private networks, and names."""

from typing import Any

import pytest

from stations.feeds.feed_errors import Failure
from stations.feeds.feed_interface import PollFailed
from stations.feeds.feed_names import name_of
from tests.stations.gbfs_server import GbfsServer, feed_of, fetch, info, stations, status, told


def test_what_has_not_changed_is_not_sent_again(served: GbfsServer) -> None:
    url = served.system("tag", station_information=stations([info()]), station_status=stations([status()]))
    served.put("/tag/station_status.json", stations([status()]), ETag='"one"')
    feed = feed_of(url)

    first, second = feed.fetch(), feed.fetch()

    assert served.conditions == [("/tag/station_status.json", '"one"')]
    assert first.readings == second.readings


def test_a_redirect_is_followed_and_a_circle_is_not(served: GbfsServer) -> None:
    url = served.system("there", station_information=stations([info()]), station_status=stations([status()]))
    served.put("/moved", b"", 301, Location=url)
    served.put("/round", b"", 302, Location="/round")

    assert told(fetch(f"{served.url}/moved")).keys() == {"a"}
    with pytest.raises(PollFailed) as failed:
        fetch(f"{served.url}/round")
    assert failed.value.reason == Failure.REDIRECTED


def test_a_feed_that_asks_for_a_rest_says_how_long(served: GbfsServer) -> None:
    url = served.system("busy", station_information=stations([info()]), station_status=stations([status()]))
    served.put("/busy/station_status.json", b"", 429, Retry_After="120")

    with pytest.raises(PollFailed) as failed:
        fetch(url)

    assert (failed.value.reason, failed.value.retry_after_seconds) == (Failure.TOO_MANY, 120)
    assert served.asked["/busy/station_status.json"] == 1


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (b"<html>", Failure.NOT_JSON),
        ([], Failure.NOT_GBFS),
        ({"data": {"fr": {"feeds": []}}}, Failure.NO_STATIONS),
        ({"data": {"feeds": [{"name": "free_bike_status", "url": "x"}]}}, Failure.NO_STATIONS),
        ({}, Failure.NO_STATIONS),
    ],
)
def test_an_address_that_is_no_system_of_stations_says_so(served: GbfsServer, document: Any, reason: Failure) -> None:
    served.put("/gbfs.json", document)

    with pytest.raises(PollFailed) as failed:
        fetch(f"{served.url}/gbfs.json")

    assert failed.value.reason == reason


def test_addresses_inside_private_networks_are_not_asked(
    served: GbfsServer, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.STATIONS_PRIVATE_FEEDS = False
    url = served.system("inside", station_information=stations([info()]), station_status=stations([status()]))

    for address in (url, url.replace("127.0.0.1", "localhost"), url.replace("127.0.0.1", "[::1]")):
        with pytest.raises(PollFailed) as failed:
            fetch(address)
        assert failed.value.reason == Failure.PRIVATE
    assert not served.asked


@pytest.mark.parametrize(
    ("entry", "name"),
    [
        ("gbfs:https://api.cyclocity.fr/contracts/Lyon/gbfs/v3/gbfs.json", "gbfs:lyon"),
        ("gbfs:https://www.example.org/a/gbfs.json", "gbfs:example.org-a"),
        ("gbfs:Oslo=https://gbfs.example.no/oslo/gbfs.json", "gbfs:oslo"),
        ("JCDecaux:Lyon", "jcdecaux:lyon"),
    ],
)
def test_a_feed_has_a_short_name(entry: str, name: str) -> None:
    assert name_of(entry) == name
