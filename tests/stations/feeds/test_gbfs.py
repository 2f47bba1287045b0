"""Any operator's GBFS is read: each version, and each oddity that was met."""

import codecs
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from stations.feeds.feed_errors import Failure
from stations.feeds.feed_interface import Bad, PollFailed
from stations.feeds.formats.gbfs_rows import time_of, words_of
from tests.stations.gbfs_server import GbfsServer, fetch, info, stations, status, told


def test_version_1_has_whole_numbers_for_ids_and_booleans(served: GbfsServer) -> None:
    """As Bicing wrote it."""
    rows = [
        status(n, is_installed=1, is_renting=int(n != 2), is_returning=1, last_reported=1_700_000_000) for n in (1, 2)
    ]
    rows[0]["num_bikes_available_types"] = {"mechanical": 1, "ebike": 2}
    url = served.system(
        "bicing", "1.0", station_information=stations([info(1), info(2)]), station_status=stations(rows)
    )

    read = told(fetch(url))

    assert {one: state.status for one, state in read.items()} == {"1": "OPEN", "2": "CLOSED"}
    assert (read["1"].mechanical, read["1"].electrical) == (1, 2)


def test_a_virtual_station_has_no_docks_to_count(served: GbfsServer) -> None:
    row = status()
    del row["num_docks_available"]
    url = served.system(
        "v",
        station_information=stations([info(is_virtual_station=True, capacity=None)]),
        station_status=stations([row]),
    )

    state = told(fetch(url))["a"]

    assert (state.bikes, state.stands, state.capacity, state.status) == (3, None, 3, "OPEN")


@pytest.mark.parametrize(
    ("types", "by_type", "kinds"),
    [
        ([("x", "electric_assist"), ("y", "human")], [("x", 2), ("y", 1)], (1, 2)),
        ([("x", "electric_assist"), ("y", "human")], [("x", 2)], (1, 2)),  # a type may be left out instead of 0
        ([("x", "electric_assist"), ("y", "human")], [("z", 2)], (None, None)),
        (None, [("mechanical", 1), ("electrical", 2)], (1, 2)),
        (None, [("bike", 3)], (None, None)),
    ],
)
def test_electric_bikes_are_told_by_their_propulsion(served: GbfsServer, types: Any, by_type: Any, kinds: Any) -> None:
    row = status(vehicle_types_available=[{"vehicle_type_id": one, "count": count} for one, count in by_type])
    documents = {"station_information": stations([info()]), "station_status": stations([row])}
    if types is not None:
        listed = [{"vehicle_type_id": one, "propulsion_type": propulsion} for one, propulsion in types]
        documents["vehicle_types"] = {"data": {"vehicle_types": listed}}

    state = told(fetch(served.system("t", **documents)))["a"]

    assert (state.mechanical, state.electrical) == kinds


def test_names_in_several_languages_do_not_change_with_their_order() -> None:
    names = [
        {"text": "Gare", "language": "fr"},
        {"text": "Station", "language": "en-GB"},
        {"text": "駅", "language": "ja"},
    ]

    assert words_of(names) == words_of(names[::-1]) == "Station"
    assert words_of(names[2:]) == "駅"
    assert words_of([{"text": 7}, None]) == words_of(None) == ""


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (1_780_000_000, datetime(2026, 5, 28, 20, 26, 40, tzinfo=UTC)),
        ("1780000000", datetime(2026, 5, 28, 20, 26, 40, tzinfo=UTC)),
        ("2026-05-28T22:26:40.5+02:00", datetime(2026, 5, 28, 20, 26, 40, 500_000, tzinfo=UTC)),
        ("2026-03-16T16:56:29.351594185Z", datetime(2026, 3, 16, 16, 56, 29, 351_594, tzinfo=UTC)),
        (1_450_155_600, None),
        ("2015-12-15T05:00:00Z", None),
        ("0001-01-01T00:00:00Z", None),
        (0, None),
        (10**30, None),
        ("soon", None),
        (None, None),
        ([], None),
    ],
)
def test_times_of_all_versions_and_the_words_for_never(written: object, meant: datetime | None) -> None:
    assert time_of(written) == meant


def test_bad_rows_are_counted_and_end_no_poll(served: GbfsServer) -> None:
    information = [
        *(info(f"good{n}") for n in range(6)),
        info("minus"),
        info("no-status"),
        info("twice"),
        info("twice"),
    ]
    information += [info("zero", lat=0, lon=0), info("text", lat="x"), info("", name="x"), "no row", info(None)]
    statuses = [*(status(f"good{n}") for n in range(6)), status("minus", num_bikes_available=-1), status("unknown")]
    statuses += [status("twice"), status("zero"), status("text"), status(True)]
    url = served.system("odd", station_information=stations(information), station_status=stations(statuses))

    fetched = fetch(url)

    assert told(fetched).keys() == {*(f"good{n}" for n in range(6)), "twice", "zero"}
    assert fetched.bad == {
        Bad.COUNTS_RANGE: 1,
        Bad.NO_STATUS: 1,
        Bad.NO_INFORMATION: 1,
        Bad.DUPLICATE: 1,
        Bad.COORDINATES: 1,
        Bad.ID: 3,
        Bad.NOT_AN_OBJECT: 1,
    }
    assert not fetched.complete  # of some rows nobody can say which station they are about


def test_minus_one_everywhere_is_a_failed_poll_with_its_reason(served: GbfsServer) -> None:
    rows = [status(str(n), num_bikes_available=-1, num_docks_available=-1) for n in range(8)]
    url = served.system(
        "minus", station_information=stations([info(str(n)) for n in range(8)]), station_status=stations(rows)
    )

    with pytest.raises(PollFailed) as failed:
        fetch(url)

    assert (failed.value.reason, failed.value.detail) == (Failure.NOTHING_GOOD, "8 counts negative or beyond belief")


def test_vehicle_availability_counts_what_the_status_does_not(served: GbfsServer) -> None:
    """Version 3.1, of systems whose vehicles are booked ahead."""
    row = status()
    del row["num_bikes_available"]
    spans = [
        [{"from": "2020-01-01T00:00:00Z"}],
        [{"from": "2020-01-01T00:00:00Z", "until": "2020-01-02T00:00:00Z"}],
        [],
    ]
    vehicles = [{"vehicle_id": str(n), "station_id": "a", "availabilities": span} for n, span in enumerate(spans)]
    url = served.system(
        "ahead",
        "3.1",
        station_information=stations([info()]),
        station_status=stations([row]),
        vehicle_availability={"data": {"vehicles": vehicles}},
    )

    assert told(fetch(url))["a"].bikes == 1


def test_a_byte_order_mark_and_relative_addresses_are_read_past(served: GbfsServer) -> None:
    served.system("bom", station_information=stations([info()]), station_status=stations([status()]))
    feeds = [{"name": name, "url": f"{name}.json"} for name in ("station_information", "station_status")]
    served.put("/bom/gbfs.json", codecs.BOM_UTF8 + json.dumps({"data": {"feeds": feeds}}).encode())

    assert told(fetch(f"{served.url}/bom/gbfs.json")).keys() == {"a"}
