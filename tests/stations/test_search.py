"""A station is found by what people type: without accents, by its number, by its street."""

from html import unescape
from urllib.parse import quote

import pytest
from django.test import Client

from stations.models import Station
from stations.services.search import found
from tests.stations.socket_client import key, polled, state

pytestmark = pytest.mark.django_db(transaction=True)

FOUND = {
    "metro": 2010,
    "MÉTRO": 2010,
    "me\u0301tro": 2010,
    "bellecour metro": 2010,
    "2010": 2010,
    "republique": 2010,
    "sacre coeur": 3,
    "sacré-cœur": 3,
    "l'hotel": 3,
    "lokke": 4,
    "strasse": 4,
}


@pytest.fixture
def _stations() -> None:
    polled(
        {
            key(2010): state(name="BELLECOUR MÉTRO", address="Angle rue de la République"),
            key(3): state(name="Sacre\u0301-Cœur", address="Place de l’Hôtel"),
            key(4): state(name="Løkke", address="Große Straße 7"),
        }
    )


@pytest.mark.usefixtures("_stations")
@pytest.mark.parametrize(("query", "number"), FOUND.items(), ids=FOUND)
def test_what_people_type_finds_the_station(client: Client, query: str, number: int):
    assert [one.number for one in found(Station.objects.all(), query)] == [number]
    answer = client.get("/stations/", {"contract": "lyon", "q": query})
    assert [one.number for one in answer.context["stations"]] == [number]


@pytest.mark.usefixtures("_stations")
def test_the_desk_finds_it_too(admin_client: Client):
    page = unescape(admin_client.get("/admin/stations/station/", {"q": "metro 2010"}).content.decode())

    assert "BELLECOUR MÉTRO" in page
    assert "Løkke" not in page


@pytest.mark.parametrize("query", ["\ud800", "x" * 10_000, " "])
def test_no_query_breaks_the_page(client: Client, query: str):
    polled({key(): state()})
    typed = quote(query.encode("utf-8", "surrogatepass"))

    assert client.get(f"/stations/?contract=lyon&q={typed}").status_code == 200


def test_a_renamed_station_is_found_by_its_new_name_alone():
    polled({key(): state(name="OLD PLACE")})
    polled({key(): state(name="NEW PLACE")})

    assert not found(Station.objects.all(), "old").exists()
    assert found(Station.objects.all(), "new").exists()
