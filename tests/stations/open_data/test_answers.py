"""Answers of open data can be read from any page, are asked for again cheaply, and have a limit for each network."""

import gzip
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client

from stations.models import Station
from stations.open_data import request_limit
from stations.services.rulings import rule
from tests.stations.open_data.conftest import FEED, OPEN
from tests.stations.socket_client import NOON

pytestmark = pytest.mark.django_db(transaction=True)

STATUS = "/stations/feeds/jcdecaux-lyon/gbfs/3.0/station_status.json"
EVERY_KIND = [
    "/stations/gbfs/3.1/manifest.json",
    "/stations/feeds/jcdecaux-lyon/gbfs/3.1/gbfs.json",
    STATUS,
]
MOMENT = "/stations/moments/lyon/"
NOWHERE = "/stations/api/v1/bikes"
OF_REST = [
    f"/stations/api/v1/{path}" for path in ("feeds", "stations", "feeds/jcdecaux-lyon/stations/1", "openapi.json")
]


@pytest.mark.parametrize("address", EVERY_KIND)
def test_a_page_of_any_site_may_read_it_and_caches_may_keep_it(client: Client, lyon: str, address: str) -> None:
    answer = client.get(address, headers={"origin": "https://elsewhere.example"})

    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Cache-Control"] == f"public, max-age={answer.json()['ttl']}"
    assert "Accept-Encoding" in answer.headers["Vary"]
    assert not answer.cookies


@pytest.mark.parametrize("address", EVERY_KIND)
def test_who_has_it_already_gets_304(client: Client, lyon: str, address: str) -> None:
    first = client.get(address)

    by_tag = client.get(address, headers={"if-none-match": first.headers["ETag"]})
    by_time = client.get(address, headers={"if-modified-since": first.headers["Last-Modified"]})

    assert [(one.status_code, one.content) for one in (by_tag, by_time)] == [(304, b"")] * 2
    assert by_tag.headers["Access-Control-Allow-Origin"] == "*"
    assert by_tag.headers["ETag"] == first.headers["ETag"]


def test_a_decision_of_staff_is_a_new_document(client: Client, lyon: str, bus_clock: Any) -> None:
    before = client.get(STATUS)
    station = Station.objects.get(feed=FEED, number=OPEN)
    rule(station=station.pk, held=True, by="1", now=NOON + timedelta(minutes=1))
    bus_clock.advance(seconds=1)

    tags = {name: before.headers[name] for name in ("ETag", "Last-Modified")}
    after = client.get(STATUS, headers={"if-none-match": tags["ETag"]})
    by_time = client.get(STATUS, headers={"if-modified-since": tags["Last-Modified"]})

    assert (after.status_code, by_time.status_code) == (200, 200)
    assert str(OPEN) not in [row["station_id"] for row in after.json()["data"]["stations"]]


@pytest.mark.parametrize("address", [*EVERY_KIND, *OF_REST, NOWHERE, MOMENT])
def test_a_shared_cache_keeps_one_answer_for_readers_of_all_languages_and_visitors(
    admin_client: Client, lyon: str, address: str
) -> None:
    answer = admin_client.get(address, headers={"accept-language": "fr"})

    assert answer.headers.get("Vary", "") in ("", "Accept-Encoding")
    assert not answer.cookies
    assert answer.headers["Content-Type"] == "application/json"
    assert "Content-Language" not in answer.headers
    assert answer.content == Client().get(address).content


@pytest.mark.parametrize(
    ("accepts", "zipped"), [("gzip, br", True), ("gzip;q=0.5", True), ("gzip;q=0", False), ("br", False), ("", False)]
)
def test_it_is_compressed_for_those_who_take_it(client: Client, lyon: str, accepts: str, zipped: bool) -> None:
    plain = client.get(STATUS)

    answer = client.get(STATUS, headers={"accept-encoding": accepts})

    assert (answer.headers.get("Content-Encoding") == "gzip") == zipped
    assert (gzip.decompress(answer.content) if zipped else answer.content) == plain.content
    assert answer.headers["ETag"] == plain.headers["ETag"]


@pytest.mark.parametrize("local", [False, True])
@pytest.mark.parametrize("address", [*EVERY_KIND, *OF_REST[:-1]])
def test_without_its_database_it_asks_to_come_again(
    client: Client, lyon: str, settings: Any, address: str, local: bool
) -> None:
    settings.DEBUG = local

    def unable(*asked: Any) -> Any:
        raise OperationalError("database is locked")

    with connection.execute_wrapper(unable):
        answer = client.get(address)

    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (503, "*")
    assert answer.headers["Cache-Control"] == "no-store"
    assert int(answer.headers["Retry-After"]) > 0
    assert "locked" not in answer.json()["error"]
    assert client.get(address).status_code == 200, "and it is back with its database"


def test_one_network_that_asks_without_end_is_stopped_and_others_are_not(
    client: Client, lyon: str, bus_clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_limit, "REQUESTS_PER_NETWORK_MAX", 2)
    for _ in range(2):
        assert client.get(STATUS, REMOTE_ADDR="2001:db8::1").status_code == 200

    refused = client.get(STATUS, REMOTE_ADDR="2001:db8::2")  # of the same household

    assert (refused.status_code, refused.headers["Access-Control-Allow-Origin"]) == (429, "*")
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert client.get(STATUS, REMOTE_ADDR="192.0.2.1").status_code == 200
    bus_clock.advance(seconds=60)
    assert client.get(STATUS, REMOTE_ADDR="2001:db8::2").status_code == 200


def test_endless_networks_fill_no_memory(lyon: str, bus_clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_limit, "NETWORKS_MAX", 3)
    monkeypatch.setattr(request_limit, "REQUESTS_PER_NETWORK_MAX", 5)
    for number in range(8):
        request_limit.count_request(f"192.0.2.{number}")

    with pytest.raises(request_limit.TooManyRequests):
        request_limit.count_request("192.0.2.99")
    request_limit.count_request("192.0.2.1")  # one of the first three
