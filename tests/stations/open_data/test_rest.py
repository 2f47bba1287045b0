"""Programs read feeds and stations by REST: in pages, by city and by box, with each station's true state."""

import json
from typing import Any

import pytest
from django.test import Client
from jsonschema import Draft202012Validator

from stations.models import Station
from tests.stations.open_data.conftest import (
    CLOSED,
    EMPTY_KINDS,
    FEED,
    FOR_RIDERS,
    FROZEN,
    GONE,
    HELD,
    OPEN,
    SILENT,
    WORDLESS,
)
from tests.stations.socket_client import key, poll_failed, polled, state

pytestmark = pytest.mark.django_db(transaction=True)

API = "/stations/api/v1/"


def told(client: Client, path: str, status: int = 200) -> Any:
    answer = client.get(API + path)
    assert answer.status_code == status, answer.content
    return answer.json()


def test_each_feed_in_use_is_listed_with_its_health_source_and_addresses(client: Client, lyon: str) -> None:
    poll_failed("The operator failed.", feed=FEED)

    jcdecaux, bici = told(client, "feeds")["feeds"]

    assert (jcdecaux["slug"], jcdecaux["condition"], jcdecaux["answered_at"]) == (
        lyon,
        "failing",
        "2026-05-01T12:00:00Z",
    )
    assert jcdecaux["attribution"]["name"] == "JCDecaux"
    assert jcdecaux["gbfs"]["3.1"] == f"http://testserver/stations/feeds/{lyon}/gbfs/3.1/gbfs.json"
    assert (bici["condition"], bici["attribution"]["url"]) == ("waiting", "https://bike.example/")
    assert "secret" not in json.dumps(bici)


def test_each_station_for_riders_is_listed_in_its_state(client: Client, lyon: str) -> None:
    page = told(client, "stations")

    states = {int(row["station_id"]): row["state"] for row in page["stations"]}
    assert (page["total"], sorted(states)) == (len(FOR_RIDERS), [*FOR_RIDERS])
    named = {CLOSED: "closed", SILENT: "stale", FROZEN: "frozen", WORDLESS: "unknown"}
    assert states == {**dict.fromkeys(FOR_RIDERS, "fresh"), **named}
    assert {row["feed_condition"] for row in page["stations"]} == {"late"}  # its last poll was in May
    assert [one["name"] for one in page["attribution"]] == ["JCDecaux"]


def test_pages_follow_one_another_without_gap(client: Client, lyon: str) -> None:
    ids = []
    for offset in range(0, len(FOR_RIDERS), 3):
        page = told(client, f"stations?limit=3&offset={offset}")
        assert (page["total"], page["limit"]) == (len(FOR_RIDERS), 3)
        ids += [int(row["station_id"]) for row in page["stations"]]

    assert ids == [*FOR_RIDERS]


def test_stations_are_chosen_by_feed_city_and_box(client: Client, lyon: str) -> None:
    polled({key(1, feed="gbfs:bici"): state(lat=-36.8, lng=179.9)}, feed="gbfs:bici")

    assert told(client, "stations?contract=LYON")["total"] == len(FOR_RIDERS)
    for name in ("gbfs:bici", "gbfs-bici"):
        assert [row["contract"] for row in told(client, f"stations?feed={name}")["stations"]] == ["bici"]
    assert told(client, "stations?bbox=4.7,45.6,5.0,45.9")["total"] == len(FOR_RIDERS)
    assert told(client, "stations?bbox=4.9,45.6,5.0,45.9")["total"] == 0
    assert told(client, "stations?bbox=170,-40,-170,-30")["total"] == 1  # across the date line
    assert told(client, "stations?bbox=170,-40,175,-30")["total"] == 0


def test_one_station_has_its_figures_and_its_source(client: Client, lyon: str) -> None:
    one = told(client, f"feeds/{lyon}/stations/{EMPTY_KINDS}")

    row = one["station"]
    assert (row["bikes"], row["mechanical"], row["electrical"], row["city"]) == (3, None, None, "Lyon")
    assert one["attribution"]["licence_url"].startswith("https://developer.jcdecaux.com/")


def test_an_id_with_slashes_and_other_letters_is_reached(client: Client, lyon: str) -> None:
    Station.objects.filter(number=OPEN).update(station_id="a/b ü:7")

    assert told(client, f"feeds/{lyon}/stations/a/b%20%C3%BC:7")["station"]["station_id"] == "a/b ü:7"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("stations?limit=0", 400),
        ("stations?limit=501", 400),
        ("stations?limit=many", 400),
        ("stations?offset=-1", 400),
        ("stations?offset=100001", 400),
        (f"stations?contract={'x' * 101}", 400),
        ("stations?bbox=1,2,3", 400),
        ("stations?bbox=a,b,c,d", 400),
        ("stations?bbox=nan,nan,nan,nan", 400),
        ("stations?bbox=0,10,1,9", 400),
        ("stations?bbox=-181,0,0,1", 400),
        ("stations?feed=jcdecaux-paris", 404),
        ("feeds/jcdecaux-paris/stations/1", 404),
        (f"feeds/jcdecaux-lyon/stations/{HELD}", 404),
        (f"feeds/jcdecaux-lyon/stations/{GONE}", 404),
        (f"feeds/jcdecaux-lyon/stations/{'9' * 200}", 404),
    ],
)
def test_a_wrong_question_gets_a_sentence(client: Client, lyon: str, path: str, status: int) -> None:
    answer = client.get(API + path)

    assert answer.status_code == status, answer.content
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.json()["error"]
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_same_question_within_a_second_costs_no_query(
    client: Client, lyon: str, bus_clock: Any, django_assert_max_num_queries: Any
) -> None:
    assert told(client, "stations")["total"] == len(FOR_RIDERS)
    Station.objects.filter(number=OPEN).update(gone=True)

    with django_assert_max_num_queries(0):
        assert told(client, "stations")["total"] == len(FOR_RIDERS)
    bus_clock.advance(seconds=1)
    assert told(client, "stations")["total"] == len(FOR_RIDERS) - 1


def test_the_answers_are_as_the_openapi_document_says(client: Client, lyon: str) -> None:
    document = told(client, "openapi.json")
    shapes = {
        f"{API}feeds": told(client, "feeds"),
        f"{API}stations": told(client, "stations"),
        f"{API}feeds/{{feed}}/stations/{{station_id}}": told(client, f"feeds/{lyon}/stations/{OPEN}"),
    }

    assert document["openapi"].startswith("3.1")
    assert document["paths"].keys() == shapes.keys()
    for path, answer in shapes.items():
        schema = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        validator = Draft202012Validator({**schema, "components": document["components"]})
        assert list(validator.iter_errors(answer)) == [], path


@pytest.mark.parametrize("path", ["bikes", "feeds/", "stations/1/", "feeds/lyon", "a%20b/", "openapi.json/"])
def test_an_address_that_the_api_does_not_have_is_refused_as_json(client: Client, lyon: str, path: str) -> None:
    answer = client.get(API + path, headers={"Accept-Language": "fr"})

    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "application/json")
    assert "openapi.json" in answer.json()["error"]
    assert (answer.headers["Cache-Control"], answer.headers["Access-Control-Allow-Origin"]) == ("no-store", "*")


def test_nothing_can_be_written(client: Client, lyon: str) -> None:
    assert client.post(f"{API}stations", {}).status_code == 405


def test_who_has_the_answer_already_gets_304(client: Client, lyon: str) -> None:
    first = client.get(f"{API}stations")

    again = client.get(f"{API}stations", headers={"if-none-match": first.headers["ETag"]})

    assert (again.status_code, first.headers["Cache-Control"]) == (304, "public, max-age=5")
