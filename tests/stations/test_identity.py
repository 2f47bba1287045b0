"""A station is its feed and its id there, which may hold any character, in rows, keys, addresses and frames alike."""

from urllib.parse import quote

import pytest
from django.test import Client
from django.urls import reverse

from eventbus.testing import published_events
from stations.events import StationChanged
from stations.feeds.feed_interface import Key
from stations.models import Station
from stations.services import subjects
from tests.stations.test_recording import appeared, record

pytestmark = pytest.mark.django_db(transaction=True)
FEED = "jcdecaux:lyon"
ODD_IDS = ["7", "a/b", "a/", "/a", "x?y#z", "50%", "%2F", "é 日本", "lyon:7", "a&b=c", "UPPER", "upper", "00" * 40]


@pytest.fixture(autouse=True)
def _in_use(settings) -> None:
    settings.STATIONS_FEEDS = [FEED, "jcdecaux:dublin"]


@pytest.mark.parametrize("station_id", ODD_IDS)
def test_a_station_of_any_id_has_a_page(client: Client, station_id: str) -> None:
    record(appeared(Key(FEED, station_id), name=f"CALLED {ODD_IDS.index(station_id)}"))

    by_name = client.get(reverse("stations:station", args=[FEED, station_id]))
    by_hand = client.get(f"/stations/jcdecaux-lyon/{quote(station_id, safe='')}/")

    for answer in (by_name, by_hand):
        assert answer.status_code == 200
        assert f"CALLED {ODD_IDS.index(station_id)}" in answer.content.decode()


def test_ids_that_differ_in_case_or_feed_are_several_stations(client: Client) -> None:
    keys = [Key(FEED, "a"), Key(FEED, "A"), Key("jcdecaux:dublin", "a")]
    for key in keys:
        record(appeared(key, name=f"IN {key.feed} {key.station_id}"))

    assert Station.objects.count() == 3
    assert {event.key() for event in published_events(StationChanged)} == {
        f"{key.feed}:{key.station_id}" for key in keys
    }
    assert "IN jcdecaux:dublin a" in client.get("/stations/jcdecaux-dublin/a/").content.decode()


@pytest.mark.parametrize("written", ["jcdecaux:lyon:2010", "jcdecaux:lyon/2010", "lyon/2010", " LYON:2010 "])
def test_operators_find_a_station_by_its_key_and_by_city_and_number(written: str) -> None:
    record(appeared(Key(FEED, "2010")))

    assert [one.keys for one in subjects.find(written)] == [("jcdecaux:lyon:2010",)]
