"""Pages and sockets show the stations of the feeds in the settings, each contract once, and say how the feeds are."""

import json
import re
from datetime import timedelta
from html import unescape

import pytest
from django.test import Client

from eventbus.testing import settle
from stations.feeds.active_feeds import ActiveFeeds
from stations.feeds.feed_errors import Failure
from tests.stations.socket_client import NOON, Browser, browsing, happens, key, on_a_loop, poll_failed, polled, state

pytestmark = pytest.mark.django_db(transaction=True)

REAL = {"feed": "jcdecaux:lyon"}
PAGES = ["/stations/", "/stations/?contract=lyon", "/stations/simulator/lyon-1/", "/stations/producer/"]


@pytest.fixture
def _simulated_and_real_lyon() -> None:
    """Lyon of the simulator and of the real feed, and Nantes of the simulator."""
    polled({key(1): state(name="INVENTED", bikes=3), key(1, "nantes"): state(name="ALSO INVENTED", bikes=5)})
    real = {key(number, **REAL): state(name="BELLECOUR", bikes=10) for number in (1, 2)}
    polled(real, feed="jcdecaux:lyon")
    settle()


def read(client: Client, path: str = "/stations/", language: str = "en") -> str:
    """The words on the page."""
    answer = client.get(path, headers={"accept-language": language})
    return unescape(re.sub(r"<[^>]*>", " ", answer.content.decode()))


def ids(client: Client) -> set[str]:
    return {one["id"] for one in json.loads(client.get("/stations/state.json").content)["stations"]}


@pytest.mark.usefixtures("_simulated_and_real_lyon")
def test_after_the_simulator_was_taken_out_only_the_real_stations_are_shown(client: Client, settings, bus_clock):
    bus_clock.hold(NOON + timedelta(seconds=30))
    settings.STATIONS_FEEDS = ["jcdecaux:lyon"]

    answer = client.get("/stations/")

    assert [(city.contract, city.stations, city.bikes) for city in answer.context["cities"]] == [("lyon", 2, 20)]
    page = unescape(answer.content.decode())
    assert "Live from the feed" in page
    assert "INVENTED" not in page
    assert ids(client) == {"jcdecaux:lyon/1", "jcdecaux:lyon/2"}
    assert client.get("/stations/simulator/nantes-1/").status_code == 404


@pytest.mark.usefixtures("_simulated_and_real_lyon")
@pytest.mark.parametrize("order", [1, -1])
def test_two_feeds_of_one_city_never_add_up(client: Client, settings, bus_clock, order: int):
    bus_clock.hold(NOON + timedelta(seconds=30))
    settings.STATIONS_FEEDS = ["simulator", "jcdecaux:lyon"][::order]

    answer = client.get("/stations/")

    assert [(city.contract, city.stations, city.bikes) for city in answer.context["cities"]] == [
        ("lyon", 2, 20),
        ("nantes", 1, 5),
    ]
    assert answer.context["total"].stations == 3
    assert ids(client) == {"jcdecaux:lyon/1", "jcdecaux:lyon/2", "simulator/nantes-1"}
    assert "Live from the feed, some cities simulated" in answer.content.decode()
    assert "Simulated feed" in read(client, "/stations/?contract=nantes")
    assert "· simulated" not in read(client, "/stations/jcdecaux-lyon/1/")
    assert "· simulated" in read(client, "/stations/simulator/nantes-1/")


@on_a_loop
async def test_a_browser_is_told_no_change_of_a_feed_that_is_not_shown(settings):
    settings.STATIONS_FEEDS = ["jcdecaux:lyon"]
    async with browsing() as browser:
        await browser.subscribe()
        await happens({key(1): state(name="INVENTED", bikes=1)})
        await happens({key(1, **REAL): state(bikes=2)}, feed="jcdecaux:lyon")

        await browser.hear()

    assert set(browser.copy.stations) == {"jcdecaux:lyon/1"}


@pytest.mark.parametrize(
    ("names", "lyon", "nantes"),
    [
        (["simulator"], "simulator", "simulator"),
        (["jcdecaux", "simulator"], "jcdecaux", "jcdecaux"),
        (["simulator:lyon", "jcdecaux"], "simulator:lyon", "jcdecaux"),
        (["simulator:lyon", "jcdecaux:lyon"], "jcdecaux:lyon", None),
        ([], None, None),
    ],
)
def test_a_contract_is_taken_from_the_feed_that_names_it_and_from_a_real_one_first(names, lyon, nantes):
    active = ActiveFeeds(names)

    taken = [feed and feed.name for feed in map(active.feed_of, ("lyon", "nantes"))]

    assert taken == [lyon, nantes]


# --- how the feeds are doing ----------------------------------------------------------------------------------------


@pytest.fixture
def _one_station(settings) -> None:
    settings.STATIONS_PRODUCER_OPEN = True
    polled({key(1): state()})


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.usefixtures("_one_station")
def test_every_page_says_why_a_feed_fails_and_how_old_the_state_is(client: Client, path: str):
    poll_failed(Failure.THEIR_ERROR)

    page = read(client, path)

    assert Failure.THEIR_ERROR in page
    assert "2026-05-01 12:00 UTC" in page


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.usefixtures("_one_station")
def test_every_page_says_that_a_feed_is_no_longer_asked(client: Client, bus_clock, path: str):
    bus_clock.hold(NOON + timedelta(seconds=30))
    assert "is no longer asked" not in read(client, path)

    bus_clock.hold(NOON + timedelta(minutes=5))

    assert "is no longer asked" in read(client, path)
    assert "n’est plus interrogé" in read(client, path, "fr")


@pytest.mark.parametrize("path", ["/stations/jcdecaux-lyon/1/", "/stations/?contract=lyon"])
@pytest.mark.usefixtures("_simulated_and_real_lyon")
def test_the_failing_feed_of_another_city_does_not_alarm(client: Client, settings, bus_clock, path: str):
    bus_clock.hold(NOON + timedelta(minutes=1))
    settings.STATIONS_FEEDS = ["simulator", "jcdecaux:lyon"]
    poll_failed(Failure.THEIR_ERROR, feed="simulator")

    assert Failure.THEIR_ERROR not in read(client, path)
    assert Failure.THEIR_ERROR in read(client, "/stations/simulator/nantes-1/")
    assert Failure.THEIR_ERROR in read(client)


async def feed_told(browser: Browser) -> dict[str, object]:
    return await browser.next_of("feed")


@pytest.mark.parametrize("path", ["/ws/stations/", "/ws/producer/"])
@on_a_loop
async def test_both_sockets_tell_how_each_feed_is_doing(settings, path: str):
    settings.STATIONS_PRODUCER_OPEN = True
    async with browsing(path) as browser:
        if path == "/ws/stations/":
            await browser.subscribe()
        waiting = await feed_told(browser)
        await happens({key(1): state()})
        good = await feed_told(browser)

    assert (waiting["ok"], waiting["at"], waiting["good_at"]) == (False, None, None)
    assert (good["ok"], good["good_at"], good["late_at"]) == (
        True,
        "2026-05-01T12:00:00Z",
        "2026-05-01T12:00:34Z",  # two intervals of the simulator and 30 s
    )
    assert (good["name"], good["contract"], good["simulated"]) == ("simulator", None, True)
