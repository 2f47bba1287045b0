"""The recorded world, served over HTTP and read by our code, equals an independent reading of it."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from stations.feeds.feed_interface import Fetched
from stations.feeds.quarantine import Hold, hold_dead
from tests.stations.gbfs_server import GbfsServer, feed_of, fetch
from tests.stations.recorded_feeds import FOLDER, needs_recorded, recorded

CITIES = ["bruxelles", "cergy", "dublin", "lillestrom", "luxembourg", "lyon", "nantes", "seville", "toulouse", "toyama"]


def reference(information: list[dict[str, Any]], statuses: list[dict[str, Any]]) -> dict[str, tuple[Any, ...]]:
    """The same documents read by other code: id -> (name, bikes, electrical, docks, capacity, open, reported)."""
    by_id = {row["station_id"]: row for row in statuses}
    read = {}
    for row in information:
        now = by_id[row["station_id"]]
        name = row["name"] if isinstance(row["name"], str) else {n["language"]: n["text"] for n in row["name"]}
        name = name if isinstance(name, str) else name.get("en") or name.get("fr") or name[min(name)]
        kinds = {kind["vehicle_type_id"]: kind["count"] for kind in now["vehicle_types_available"]}
        bikes = now["num_vehicles_available"]
        name = " ".join(name.split()) or (row["station_id"] if bikes else "")
        if not name:
            continue
        reported = now["last_reported"]
        when = datetime.fromtimestamp(reported, UTC) if isinstance(reported, int) else datetime.fromisoformat(reported)
        read[row["station_id"]] = (
            name,
            bikes,
            None if "bike" in kinds else kinds.get("electrical", 0),
            now["num_docks_available"],
            row["capacity"],
            now["is_installed"] and now["is_renting"],
            when if when.year > 2015 else None,
        )
    return read


def as_reference(fetched: Fetched) -> dict[str, tuple[Any, ...]]:
    return {
        one.key.station_id: (
            one.state.name,
            one.state.bikes,
            one.state.electrical,
            one.state.stands,
            one.state.capacity,
            one.state.status == "OPEN",
            one.reported_at,
        )
        for one in fetched.readings
    }


@needs_recorded
@pytest.mark.parametrize("city", CITIES)
def test_a_recorded_city_equals_an_independent_reading(served: GbfsServer, city: str) -> None:
    information = json.loads(recorded(f"gbfs_v3.0/information/{city}.json"))
    rounds = [json.loads(recorded(f"gbfs_v3.0/status_{n}/{city}.json")) for n in (1, 2)]
    url = served.system(city, "3.0", station_information=information, station_status=rounds[0])
    feed = feed_of(url)

    for one in rounds:
        served.put(f"/{city}/station_status.json", one)
        rows = information["data"]["stations"]

        read = as_reference(feed.fetch())

        assert read == reference(rows, one["data"]["stations"])
    assert served.asked[f"/{city}/station_information.json"] == 1  # names and places change rarely
    assert served.asked[f"/{city}/station_status.json"] == 2


@needs_recorded
def test_the_122_virtual_stations_of_rouen_equal_an_independent_reading(served: GbfsServer) -> None:
    folder = "gbfs_v2.3/rouen_lovelo"
    documents = {path.stem: json.loads(path.read_bytes()) for path in (FOLDER / folder).iterdir()}
    url = served.system("rouen", "2.3", **documents)

    read = as_reference(fetch(url))

    rows = [documents[f"station_{one}"]["data"]["stations"] for one in ("information", "status")]
    assert read == reference(*rows)
    assert len(read) == 122


BENCHES = {
    ("bruxelles", "1005"),
    ("lillestrom", "501"),
    ("luxembourg", "65009"),
    ("lyon", "202"),
    ("lyon", "555"),
    ("seville", "298"),
    ("seville", "300"),
    ("toulouse", "1031"),
}


@needs_recorded
def test_eight_test_benches_and_one_dead_contract_are_held_and_no_other_station(served: GbfsServer) -> None:
    """Among 1,988 stations of ten contracts, and 122 of Rouen."""
    found: dict[str, set[tuple[str, str]]] = {}
    for city in CITIES:
        documents = {
            f"station_{one}": json.loads(recorded(f"gbfs_v3.0/{folder}/{city}.json"))
            for one, folder in (("information", "information"), ("status", "status_1"))
        }
        fetched = fetch(served.system(city, "3.0", **documents))
        hold_dead(fetched, datetime(2026, 7, 2, 15, 30, tzinfo=UTC))
        for one in fetched.readings:
            found.setdefault(one.state.held, set()).add((city, one.key.station_id))

    assert found[Hold.TEST_BENCH] == BENCHES
    assert {city for city, _ in found[Hold.DEAD]} == {"cergy"}
    assert len(found[Hold.DEAD]) == 45
    assert found.keys() == {"", Hold.TEST_BENCH, Hold.DEAD}
