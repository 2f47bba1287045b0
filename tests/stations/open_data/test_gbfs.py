"""Each feed is served as GBFS 3.0 and 3.1, valid by the official schemas, and true about every station."""

import json
from datetime import timedelta
from importlib.resources import files
from typing import Any

import pytest
from django.test import Client
from gbfs_validator import validate_feed
from jsonschema import Draft7Validator, FormatChecker
from pytest_django.live_server_helper import LiveServer

from stations.models import Station
from tests.stations.gbfs_server import fetch
from tests.stations.open_data.conftest import (
    ANYWHERE,
    CLOSED,
    EMPTY_KINDS,
    FEED,
    FOR_RIDERS,
    FROZEN,
    OPEN,
    REPORTED,
    SILENT,
    WORDLESS,
)
from tests.stations.socket_client import NOON, key, poll_failed, polled, state

pytestmark = pytest.mark.django_db(transaction=True)

LATER = NOON + timedelta(minutes=1)
VERSIONS = {"3.0": "3.0", "3.1": "3.1-RC3"}
DOCUMENTS = (
    "gbfs",
    "gbfs_versions",
    "station_information",
    "station_status",
    "system_information",
    "system_regions",
    "vehicle_types",
)


def document(client: Client, name: str, version: str = "3.0", slug: str = "jcdecaux-lyon") -> dict[str, Any]:
    answer = client.get(f"/stations/feeds/{slug}/gbfs/{version}/{name}.json")
    assert answer.status_code == 200, answer.content
    return answer.json()


def faults(name: str, version: str, told: object) -> list[str]:
    """What the official schema finds wrong with a document."""
    schema = files("gbfs_validator") / "data" / "schemas" / f"v{VERSIONS[version]}" / f"{name}.json"
    validator = Draft7Validator(json.loads(schema.read_text()), format_checker=FormatChecker())
    return [f"{list(one.absolute_path)}: {one.message}" for one in validator.iter_errors(told)]


def statuses(client: Client) -> dict[int, dict[str, Any]]:
    rows = document(client, "station_status")["data"]["stations"]
    return {int(row["station_id"]): row for row in rows}


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", DOCUMENTS)
def test_each_document_is_valid_by_the_official_schema(client: Client, lyon: str, name: str, version: str) -> None:
    assert faults(name, version, document(client, name, version)) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_the_manifest_is_valid_by_the_official_schema(client: Client, lyon: str, version: str) -> None:
    manifest = client.get(f"/stations/gbfs/{version}/manifest.json").json()

    assert faults("manifest", version, manifest) == []
    assert [one["system_id"] for one in manifest["data"]["datasets"]] == ["jcdecaux-lyon.127.0.0.1"]


@pytest.mark.parametrize("version", VERSIONS)
def test_our_reader_gets_every_count_back(live_server: LiveServer, lyon: str, version: str) -> None:
    fetched = fetch(f"{live_server.url}/stations/feeds/{lyon}/gbfs/{version}/gbfs.json")

    read = {one.key.station_id: one for one in fetched.readings}
    kept = {row.station_id: row for row in Station.objects.filter(feed=FEED, number__in=FOR_RIDERS)}
    assert (read.keys(), fetched.bad) == (kept.keys(), {})
    for station_id, row in kept.items():
        for name in ("name", "address", "lat", "lng", "bikes", "mechanical", "electrical", "stands", "capacity"):
            assert getattr(read[station_id].state, name) == getattr(row, name), (station_id, name)
        expected = None if row.number == WORDLESS else min(REPORTED, row.seen_at or REPORTED)
        assert read[station_id].reported_at == expected, station_id
    assert fetched.updated_at == NOON


def test_each_state_is_told_truly(client: Client, lyon: str) -> None:
    told = statuses(client)

    assert sorted(told) == [*FOR_RIDERS]  # neither the held one nor the one that has gone
    assert {row["is_installed"] for row in told.values()} == {True}
    for number, row in told.items():
        rents = number not in (CLOSED, WORDLESS)
        assert (row["is_renting"], row["is_returning"]) == (rents, rents), number
    assert "num_docks_available" not in told[ANYWHERE]
    assert told[EMPTY_KINDS]["vehicle_types_available"] == []  # three bikes, of nobody knows which kind
    assert [one["count"] for one in told[OPEN]["vehicle_types_available"]] == [6, 4]


def test_the_last_report_is_not_made_newer(client: Client, lyon: str) -> None:
    told = {number: row["last_reported"] for number, row in statuses(client).items()}

    assert told[OPEN] == told[SILENT] == "2026-05-01T11:57:00Z"
    assert told[FROZEN] == "2026-05-01T11:50:00Z"  # nothing is known of it since
    assert told[WORDLESS] == "1970-01-01T00:00:00Z"  # it has never said when


def test_a_feed_that_fails_is_as_old_as_its_last_answer(client: Client, lyon: str) -> None:
    poll_failed("The operator failed.", feed=FEED)

    assert document(client, "station_status")["last_updated"] == "2026-05-01T12:00:00Z"


def test_the_source_is_named_with_its_licence(client: Client, lyon: str) -> None:
    told = document(client, "system_information")["data"]

    assert told["attribution_organization_name"] == [{"text": "JCDecaux", "language": "fr"}]
    assert told["license_url"] == "https://developer.jcdecaux.com/#/opendata/license"
    assert (told["name"][0]["text"], told["timezone"]) == ("Vélo'v", "Europe/Paris")


def test_an_address_with_a_key_is_not_told(client: Client, lyon: str) -> None:
    polled({key(1, feed="gbfs:bici"): state()}, feed="gbfs:bici")
    polled({key(1, feed="gbfs:bici"): state()}, feed="gbfs:bici")

    told = document(client, "system_information", slug="gbfs-bici")["data"]

    assert told["attribution_url"] == "https://bike.example/"
    assert told["license_url"] == "http://testserver/stations/feeds/gbfs-bici/"  # its licence is its own, not CC0
    assert "secret" not in json.dumps(told)


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/stations/feeds/jcdecaux-paris/gbfs/3.0/gbfs.json", 404),  # not in use, or no longer
        ("/stations/feeds/jcdecaux-lyon/gbfs/2.3/gbfs.json", 404),
        ("/stations/feeds/jcdecaux-lyon/gbfs/3.0/system_alerts.json", 404),
        ("/stations/feeds/gbfs-bici/gbfs/3.0/gbfs.json", 503),  # never polled
        ("/stations/gbfs/4/manifest.json", 404),
    ],
)
def test_what_there_is_not_is_an_error_in_json(client: Client, lyon: str, address: str, status: int) -> None:
    answer = client.get(address)

    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/json")
    assert answer.json()["error"]
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Cache-Control"] == "no-store"


def test_many_stations_cost_few_queries_and_the_next_request_none(
    client: Client, lyon: str, django_assert_max_num_queries: Any
) -> None:
    polled({key(number, feed=FEED): state() for number in range(1, 301)}, feed=FEED)

    with django_assert_max_num_queries(10):
        client.get(f"/stations/feeds/{lyon}/gbfs/3.0/station_status.json")
    with django_assert_max_num_queries(0):
        client.get(f"/stations/feeds/{lyon}/gbfs/3.0/station_status.json")


@pytest.mark.parametrize("version", VERSIONS)
def test_the_validator_finds_nothing(live_server: LiveServer, lyon: str, version: str) -> None:
    report = validate_feed(f"{live_server.url}/stations/feeds/{lyon}/gbfs/{version}/gbfs.json", docked=True)

    rows = [row for one in report["files"] for row in (one, *one.get("languages", ()))]
    found = [fault for row in rows for fault in row.get("errors") or ()]
    assert (report["summary"]["version"]["validated"], found) == (VERSIONS[version], [])
    assert report["summary"]["hasErrors"] is False
