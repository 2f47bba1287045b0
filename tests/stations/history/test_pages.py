"""Anybody sees a station's past and plays a city's, takes both away as files, and cannot ask for too much."""

import csv
import io
import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from stations import limits
from stations.history.recording import record_answer, record_change
from stations.history.samples import DAY_MS, HOUR_MS, milliseconds
from stations.models import Station
from tests.stations.history.test_rollup import FEED, MAY, MINUTE, START, answer, change, pack_all, station
from tests.stations.readings import BELLECOUR

__all__ = ["station"]  # the fixture

TODAY = MAY + timedelta(days=30, hours=12)
NOW = milliseconds(TODAY)


@pytest.fixture
def past(station: Station, bus_clock: Any, settings: Any) -> Station:
    """A month in which the station has 4 bikes until noon, 8 after it, and none from 20:00 on; every day, in UTC."""
    settings.STATIONS_FEEDS = [FEED]
    bus_clock.hold(TODAY)
    for at in range(START, NOW + 1, 12 * HOUR_MS):
        record_answer(answer(at, interval_ms=12 * HOUR_MS))
    for day in range(31):
        for number, (hour, bikes) in enumerate([(0, 4), (12, 8), (20, 0)]):
            if START + day * DAY_MS + hour * HOUR_MS <= NOW:
                record_change(change(START + day * DAY_MS + hour * HOUR_MS, version=3 * day + number + 1, bikes=bikes))
    pack_all()
    return station


def page_of(client: Client, query: str = "") -> Any:
    return client.get(reverse("stations:history", args=[FEED, BELLECOUR.station_id]) + query)


def charts_of(response: Any) -> Any:
    return response.context["charts"]


def test_a_day_is_shown_in_the_time_of_its_city(client: Client, past: Station) -> None:
    shown = page_of(client, "?day=2026-05-20")

    charts = charts_of(shown)
    assert charts["zone"] == "Europe/Paris"
    assert charts["bounds"][0] * 1000 == START + 18 * DAY_MS + 22 * HOUR_MS, "midnight in Paris"
    assert charts["day"]["bikes"][:4] == [0, 4, 8, 0]
    hours = {f"{row['at']:%H}": (row["hour"].lowest, row["empty"]) for row in shown.context["hours"]}
    assert hours["01"] == (0, 60)
    assert hours["14"] == (8, 0), "noon in UTC"
    assert "Nothing is known" not in shown.content.decode()


def test_the_usual_day_is_the_median_of_the_same_weekday(client: Client, past: Station) -> None:
    usual = charts_of(page_of(client, "?day=2026-05-30"))["usual"]

    assert [row[:3] for row in usual if row[0] in (3, 15, 23)] == [[3, 4.0, 4.0], [15, 8.0, 8.0], [23, 0.0, 0.0]]
    assert charts_of(page_of(client, "?day=2026-05-05"))["usual"] == [], "a first week has no usual day"


@pytest.mark.parametrize("query", ["?day=yesterday", "?day=2026-13-01", "?day=2027-01-01", "?day=0001-01-01"])
def test_a_day_that_cannot_be_shown_is_refused(client: Client, past: Station, query: str) -> None:
    assert page_of(client, query).status_code == 400


def test_a_feed_out_of_use_has_no_past(client: Client, past: Station, settings: Any) -> None:
    addresses = [
        reverse("stations:history", args=[FEED, BELLECOUR.station_id]),
        reverse("stations:export", args=[FEED, BELLECOUR.station_id]),
        reverse("stations:city", args=["lyon"]),
        reverse("stations:moment", args=["lyon"]) + f"?at={NOW // 1000}",
    ]
    assert [client.get(address).status_code for address in addresses] == [200] * 4

    settings.STATIONS_FEEDS = ["jcdecaux:dublin"]

    assert [client.get(address).status_code for address in addresses] == [404] * 4


@pytest.mark.parametrize(("hours", "bikes"), [(9 * 24 + 11, 4), (9 * 24 + 12, 8), (9 * 24 + 21, 0), (30 * 24 + 12, 8)])
def test_any_kept_moment_is_played(client: Client, past: Station, hours: int, bikes: int) -> None:
    at = (START + hours * HOUR_MS) // 1000

    told = client.get(reverse("stations:moment", args=["lyon"]), {"at": at}).json()

    assert told["stations"] == [[past.pk, bikes, 10, 0]]
    assert told["sums"] == {"stations": 1, "bikes": bikes, "stands": 10, "empty": int(bikes == 0), "full": 0}
    assert told["known"]


@pytest.mark.parametrize("at", ["now", "-1", "9" * 30, "٣"])
def test_a_moment_that_is_none_is_refused(client: Client, past: Station, at: str) -> None:
    assert client.get(reverse("stations:moment", args=["lyon"]), {"at": at}).status_code == 400


def test_a_city_has_the_sum_of_its_week_and_its_stations_without_javascript(client: Client, past: Station) -> None:
    shown = client.get(reverse("stations:city", args=["lyon"]), {"day": "2026-05-20", "time": "15:30"})

    sums = charts_of(shown)["sums"]
    assert set(sums["bikes"]) == {0, 4, 8}
    assert len(sums["at"]) == 7 * 24
    assert '<td class="num">8</td>' in shown.content.decode()
    today = charts_of(client.get(reverse("stations:city", args=["lyon"])))["sums"]
    assert [one for one in today["bikes"] if one is not None][-1] == 4, "hours of today are counted when they are read"


def exported(client: Client, **asked: str) -> Any:
    return client.get(reverse("stations:export", args=[FEED, BELLECOUR.station_id]), asked)


def test_changes_and_hours_are_exported_as_csv_and_json(client: Client, past: Station) -> None:
    days = {"since": "2026-05-10", "until": "2026-05-11"}

    table = exported(client, kind="changes", format="csv", **days)
    hours = exported(client, kind="hours", format="json", **days)

    rows = list(csv.DictReader(io.StringIO(b"".join(table.streaming_content).decode())))
    assert [row["bikes"] for row in rows] == ["4", "8", "0"] * 2
    assert rows[1]["at"] == "2026-05-10T12:00:00+00:00"
    told = json.loads(b"".join(hours.streaming_content))
    assert len(told) == 48
    assert told[20] | {"at": ""} == {
        "feed": FEED, "station_id": BELLECOUR.station_id, "at": "", "lowest": 0, "mean": 0.0, "highest": 0,
        "known_s": 3600, "empty_s": 3600, "full_s": 0,
    }  # fmt: skip
    nothing = exported(client, kind="hours", format="json", since="2026-04-10", until="2026-04-11")
    assert json.loads(b"".join(nothing.streaming_content)) == []


def test_no_cell_of_the_csv_is_a_formula(client: Client, past: Station) -> None:
    Station.objects.update(station_id="=1+1")

    table = client.get(reverse("stations:export", args=[FEED, "=1+1"]), {"format": "csv", "until": "2026-05-11"})

    rows = list(csv.DictReader(io.StringIO(b"".join(table.streaming_content).decode())))
    assert {row["station_id"] for row in rows} == {"'=1+1"}


@pytest.mark.parametrize(
    "asked",
    [
        {"since": "2026-04-01", "until": "2026-05-20"},
        {"since": "2026-05-20", "until": "2026-05-19"},
        {"since": "soon"},
        {"until": "0001-01-01"},
        {"until": "2030-01-01"},
        {"kind": "all"},
        {"format": "xls"},
    ],
    ids=str,
)
def test_an_export_that_is_too_long_or_none_is_refused(client: Client, past: Station, asked: dict[str, str]) -> None:
    assert exported(client, **asked).status_code == 400


def test_who_exports_too_often_is_asked_to_wait(client: Client, past: Station) -> None:
    for _ in range(limits.EXPORTS_PER_CLIENT):
        assert exported(client).status_code == 200

    refused = exported(client)

    assert refused.status_code == 429
    assert 0 < int(refused["Retry-After"]) <= MINUTE // 1000
