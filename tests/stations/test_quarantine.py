"""Rows that are no stations for riders are kept apart with their reason, in no figure, until staff decide otherwise."""

import json
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.test import Client
from msgspec import structs

from eventbus.testing import published_events, settle
from stations.events import StationChanged
from stations.feeds.feed_interface import Fetched
from stations.feeds.quarantine import Hold, hold_dead, hold_of
from stations.models import Station, StationRuling
from stations.polling.poller import Poller
from stations.services import rulings
from tests.stations.gbfs_server import GbfsServer, feed_of, info, stations, status
from tests.stations.readings import NOON, STATE, reading
from tests.stations.socket_client import browsing, happens, key, on_a_loop, polled, state

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    "name",
    [
        "TESTSTASJON G7",
        "_LAB MADRID",
        "_TALLER SEVILLA",
        "555 - ATELIER VÉLO'V",
        "BORNE CGB ATELIER",
        "Test Station",
        "Station de test",
        "PRUEBA 1",
        "Werkstatt",
        "Verksted",
        "テスト",
        "DO NOT USE",
    ],
)
def test_benches_and_workshops_are_known_by_their_name(name: str) -> None:
    assert hold_of(structs.replace(STATE, name=name, capacity=3)) == Hold.TEST_BENCH


@pytest.mark.parametrize(
    "name",
    [
        "CARNOT - LABÉDA",
        "Testaccio",
        "Attestation",
        "Place des Ateliers",
        "Rue de l'Atelier",
        "Depot Street",
        "Labège",
        "_GLORIETA",
        "Lagerstraße",
        "MIT Media Lab",
        "Protestante",
    ],
)
def test_streets_that_sound_alike_are_stations(name: str) -> None:
    assert hold_of(structs.replace(STATE, name=name)) == ""


def test_a_row_at_zero_and_one_far_from_its_city_are_held_with_their_bikes(served: GbfsServer) -> None:
    rows = [*(info(f"s{n}") for n in range(6)), info("zero", lat=0, lon=0), info("far", lat=40.4, lon=-3.7)]
    url = served.system(
        "x", station_information=stations(rows), station_status=stations([status(row["station_id"]) for row in rows])
    )

    Poller(feed_of(url)).poll()

    held = dict(Station.objects.exclude(held="").values_list("station_id", "held"))
    assert held == {"zero": Hold.NOWHERE.value, "far": Hold.FAR_AWAY.value}


@pytest.mark.parametrize(("days", "is_open", "dead"), [(31, False, True), (29, False, False), (31, True, False)])
def test_a_contract_is_dead_where_nothing_is_open_and_nothing_has_reported_for_a_month(
    days: int, is_open: bool, dead: bool
) -> None:
    silent = [reading(reported_at=NOON - timedelta(days=days), status="OPEN" if is_open else "CLOSED")]
    fetched = Fetched(silent, Counter(), {silent[0].key})

    hold_dead(fetched, NOON)

    assert fetched.readings[0].state.held == (Hold.DEAD.value if dead else "")


def figures(client: Client) -> tuple[int, int]:
    total = client.get("/stations/").context["total"]
    return total.stations, total.bikes


def shown(client: Client) -> set[str]:
    return {one["station_id"] for one in json.loads(client.get("/stations/state.json").content)["stations"]}


def test_what_is_held_or_closed_is_in_no_figure(client: Client) -> None:
    held = state(name="TEST", bikes=5, held=Hold.TEST_BENCH.value)
    polled({key(1): state(bikes=10), key(2): held, key(3): state(bikes=7, status="CLOSED")})

    assert figures(client) == (1, 10)
    assert shown(client) == {"lyon-1", "lyon-3"}
    assert "TEST" not in client.get("/stations/?contract=lyon").content.decode()
    page = client.get("/stations/simulator/lyon-2/").content.decode()
    assert "a test bench or a workshop by its name" in page


def ruled(held: bool, station_id: str = "lyon-1") -> bool:
    return rulings.rule(station=Station.objects.get(station_id=station_id).pk, held=held, by="7", now=NOON)


def test_staff_hold_and_release_at_once_and_the_next_polls_obey(client: Client) -> None:
    polled({key(1): state(bikes=10), key(2): state(bikes=5)})

    assert ruled(True)
    assert figures(client) == (1, 5)
    assert not ruled(True)  # twice changes nothing more
    assert ruled(False)
    assert figures(client) == (2, 15)

    kinds = [one.kinds for one in published_events(StationChanged) if one.station_id == "lyon-1"]
    assert kinds == [("appeared",), ("held",), ("released",)]
    assert StationRuling.objects.get().held is False


def test_a_poll_obeys_what_staff_decided(served: GbfsServer) -> None:
    rows = [info("a", name="TEST"), info("b")]
    url = served.system(
        "x", station_information=stations(rows), station_status=stations([status(row["station_id"]) for row in rows])
    )
    poller = Poller(feed_of(url))
    poller.poll()
    assert ruled(False, "a")
    assert ruled(True, "b")

    assert poller.poll().outcome == "ok"  # though staff wrote versions that it did not know

    assert dict(Station.objects.values_list("station_id", "held")) == {"a": "", "b": Hold.BY_HAND.value}
    assert poller.poll().changed == 0


@on_a_loop
async def test_an_open_page_loses_a_station_that_is_held_and_gets_it_back() -> None:
    await happens({key(1): state(), key(2): state()})
    async with browsing() as browser:
        await browser.subscribe()
        await sync_to_async(ruled)(True)
        await sync_to_async(settle)()
        assert (await browser.hear())["removed"] == ["simulator/lyon-1"]
        await sync_to_async(ruled)(False)
        await sync_to_async(settle)()
        await browser.hear()

    assert set(browser.copy.stations) == {"simulator/lyon-1", "simulator/lyon-2"}


@pytest.mark.parametrize("action", ["hold", "release"])
def test_staff_choose_an_action_in_the_admin_and_their_account_is_kept(admin_client: Client, action: str) -> None:
    polled({key(1): state(held="" if action == "hold" else Hold.TEST_BENCH.value)})
    chosen: dict[str, Any] = {"action": action, "_selected_action": [Station.objects.get().pk]}

    answer = admin_client.post("/admin/stations/station/", chosen, follow=True)

    assert answer.status_code == 200
    assert bool(Station.objects.get().held) is (action == "hold")
    assert StationRuling.objects.get().by


def test_one_click_in_the_list_holds_a_station_and_the_next_releases_it(admin_client: Client) -> None:
    polled({key(1): state(), key(2): state()})
    address = "/admin/stations/station/?feed=simulator"
    first = Station.objects.order_by("pk")[0].pk
    for button, is_held in (("hold_one", True), ("release_one", False)):
        assert f'name="{button}" value="{first}"' in admin_client.get(address).content.decode()

        answer = admin_client.post(address, {button: first, "action": "", "index": "0"})

        assert (answer.status_code, answer.headers["Location"]) == (302, address)
        assert [bool(one.held) for one in Station.objects.order_by("pk")] == [is_held, False]
