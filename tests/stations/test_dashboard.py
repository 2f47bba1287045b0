"""The stations' pages without JavaScript: every figure is there, and every wrong turn says where to go."""

from datetime import timedelta
from html import unescape

import pytest
from django.test import Client

from eventbus.testing import settle
from stations.feeds.feed_errors import Failure
from tests.stations.socket_client import NOON, key, poll_failed, polled, state

pytestmark = pytest.mark.django_db(transaction=True)

EMPTY = {"bikes": 0, "mechanical": 0, "electrical": 0, "stands": 20}


@pytest.fixture
def _two_cities() -> None:
    polled(
        {
            key(1): state(name="BELLECOUR", bikes=10),
            key(2): state(name="TERREAUX", **EMPTY),
            key(3): state(name="CORDELIERS", status="CLOSED", **EMPTY),
            key(1, "nantes"): state(name="PRÉFECTURE", bikes=7),
        }
    )


def read(client: Client, path: str = "/stations/", language: str = "en") -> str:
    """The page's text, its entities resolved."""
    return unescape(client.get(path, headers={"accept-language": language}).content.decode())


def test_before_the_first_poll_the_page_says_what_to_do(client: Client):
    page = read(client)

    assert "No station yet" in page
    assert "manage.py poll_stations" in page


@pytest.mark.usefixtures("_two_cities")
def test_the_figures_of_every_city_are_on_the_page(client: Client):
    answer = client.get("/stations/")

    lyon, nantes = answer.context["cities"]
    assert (lyon.name, lyon.stations, lyon.bikes, lyon.open, lyon.empty_share) == ("Lyon", 2, 10, 2, 50.0)
    assert (nantes.name, nantes.bikes, nantes.empty_share) == ("Nantes", 7, 0.0)
    assert answer.context["total"].bikes == 17
    assert "Simulated feed" in answer.content.decode()


@pytest.mark.usefixtures("_two_cities")
def test_simulated_stations_are_not_shown_as_those_of_the_real_feed_before_it_has_answered(client: Client, settings):
    settings.STATIONS_FEEDS = ["jcdecaux:lyon"]

    page = read(client)

    assert "Feed “jcdecaux:lyon” has not answered yet." in page
    assert "No station yet" in page
    assert "BELLECOUR" not in page


@pytest.mark.usefixtures("_two_cities")
def test_a_city_shows_its_stations_in_a_table(client: Client):
    page = read(client, "/stations/?contract=LYON")

    assert "BELLECOUR" in page
    assert "PRÉFECTURE" not in page
    assert "/stations/simulator/lyon-1/" in page


@pytest.mark.usefixtures("_two_cities")
def test_the_page_speaks_french(client: Client):
    page = read(client, language="fr")

    assert "Les stations de vélos du monde" in page
    assert "The world" not in page


@pytest.mark.usefixtures("_two_cities")
def test_a_failing_feed_says_why_and_how_old_the_state_is(client: Client):
    poll_failed(Failure.UNREACHABLE)

    page = read(client)

    assert Failure.UNREACHABLE in page
    assert "2026-05-01 12:00 UTC" in page


@pytest.mark.usefixtures("_two_cities")
def test_a_stations_page_shows_its_state_and_changes_in_the_citys_time(client: Client, bus_clock):
    bus_clock.hold(NOON + timedelta(minutes=30))
    polled({key(1): state(bikes=8, mechanical=4)}, at=NOON + timedelta(minutes=20))
    settle()

    page = read(client, "/stations/simulator/lyon-1/")

    assert "BELLECOUR" in page
    assert "2 bikes taken" in page
    assert "14:20:00" in page  # 12:20 UTC is two hours later in Lyon, in summer
    assert 'class="chart__line"' in page


@pytest.mark.parametrize(
    "path",
    [
        "/stations/simulator/lyon-77/",
        "/stations/jcdecaux-lyon/1/",
        "/stations/simulator/a%2Fb%3Fc/",
        "/stations/simulator/99999999999999999999/",
    ],
)
@pytest.mark.usefixtures("_two_cities")
def test_a_station_that_nobody_knows_helps_on(client: Client, path: str):
    answer = client.get(path)

    assert answer.status_code == 404
    assert "No such station" in answer.content.decode()
    assert 'class="button button--primary" href="/stations/"' in answer.content.decode()


@pytest.mark.usefixtures("_two_cities")
def test_the_dashboard_asks_the_database_a_fixed_number_of_questions(client: Client, django_assert_max_num_queries):
    client.get("/stations/?contract=lyon")

    with django_assert_max_num_queries(8):
        client.get("/stations/?contract=lyon")


@pytest.mark.usefixtures("_two_cities")
def test_tiles_are_attributed_as_text(client: Client, settings):
    settings.STATIONS_TILE_URL = "https://tiles.example/{z}/{x}/{y}.png"
    settings.STATIONS_TILE_ATTRIBUTION = "© Maps & <b>Friends</b>"

    page = client.get("/stations/").content.decode()

    assert "Map: © Maps &amp; &lt;b&gt;Friends&lt;/b&gt;." in page
    assert 'data-tile-attribution="© Maps &amp; &lt;b&gt;Friends&lt;/b&gt;"' in page
    assert "Land: Natural Earth." not in page.split("<footer")[0]
