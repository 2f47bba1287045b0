"""A station's page without JavaScript: its neighbours, the way there, the age of its figures, and its raw data."""

import json
import re
from html import unescape

import pytest
from django.test import Client

from stations.models import Station
from stations.services.neighbours import metres_between
from tests.browser.nearest_reference import POINTS
from tests.browser.nearest_reference import metres_between as reference
from tests.stations.socket_client import key, polled, state


@pytest.fixture
def _stations(transactional_db: None) -> None:
    polled(
        {
            key(1): state(name="HERE", lat=45.76, lng=4.85),
            key(2): state(name="SECOND", lat=45.765, lng=4.85),
            key(3): state(name="FIRST", lat=45.761, lng=4.85, bikes=3),
            key(4): state(name="FAR", lat=46.5, lng=4.85),
            key(5): state(name="GONE", lat=45.7601, lng=4.85),
            key(1, "nantes"): state(name="ELSEWHERE", lat=45.7602, lng=4.85),
        }
    )
    polled({key(4): state(name="FAR", lat=46.5, lng=4.85, bikes=1)}, gone=[key(5)])


def read() -> str:
    return unescape(Client().get("/stations/simulator/lyon-1/", headers={"accept-language": "en"}).content.decode())


@pytest.mark.usefixtures("_stations")
def test_the_neighbours_stand_nearest_first_with_the_minutes_on_foot() -> None:
    listed = read().partition('id="neighbours"')[2].partition("</ol>")[0]

    assert re.findall(r">([A-Z]{2,})</a>", listed) == ["FIRST", "SECOND"]
    assert re.findall(r"(\d+) min", listed) == ["2", "10"]  # 111 and 556 m, times 1.3, at 75 m a minute


@pytest.mark.usefixtures("_stations")
def test_the_page_says_how_to_go_there_how_old_it_is_and_what_the_feed_said() -> None:
    page = read()

    assert 'href="geo:45.76,4.85?q=45.76,4.85(HERE)"' in page
    assert 'rel="external noreferrer" href="https://www.openstreetmap.org/?mlat=45.76&mlon=4.85' in page
    assert "As of <time" in page
    raw = json.loads(page.partition('<pre id="raw"')[2].partition(">")[2].partition("</pre>")[0])
    assert (raw["id"], raw["name"], raw["lat"]) == ("simulator/lyon-1", "HERE", 45.76)


def test_distances_are_those_of_a_reference_everywhere() -> None:
    for one, other in zip(POINTS, POINTS[1:], strict=False):
        assert metres_between(Station(**one), Station(**other)) == pytest.approx(reference(one, other), abs=0.5)
