"""A module that starts late learns of every station, and nobody who knows the stations already is disturbed."""

import pytest
from django.core.management import call_command
from msgspec.structs import replace

from eventbus.testing import published_events
from stations.events import StationChanged
from stations.live.change_buffer import ChangeBuffer
from stations.models import Station
from tests.stations.socket_client import key, polled, state

pytestmark = pytest.mark.django_db(transaction=True)


def publish_stations() -> list[StationChanged]:
    before = len(published_events(StationChanged))
    call_command("publish_stations")
    return published_events(StationChanged)[before:]


def test_each_station_is_published_as_it_is_now(capsys: pytest.CaptureFixture[str]) -> None:
    polled({key(2): state(name="TERREAUX"), key(1): state(bikes=10)})
    polled({key(2): state(name="TERREAUX"), key(1): state(bikes=7)})
    last = [one for one in published_events(StationChanged) if one.number == 1][-1]

    first, second = publish_stations()

    assert first == replace(last, kinds=(), taken=0, taken_electrical=None, returned_electrical=None)
    assert (first.version, first.bikes, second.version, second.name) == (2, 7, 1, "TERREAUX")
    assert capsys.readouterr().out == "Published 2 stations.\n"


def test_stations_that_are_on_no_page_are_left_out() -> None:
    polled({key(1): state(), key(2): state()})
    polled({key(1): state()}, gone=[key(2)])
    Station.objects.create(**_row(), feed="closed-feed", station_id="3")

    assert [one.number for one in publish_stations()] == [1]


def test_the_live_map_receives_nothing_new() -> None:
    polled({key(): state()})
    buffer = ChangeBuffer()
    buffer.load()
    buffer.take()

    buffer.receive(publish_stations())

    assert buffer.take() == (None, [])


def _row() -> dict[str, object]:
    names = {field.name for field in Station._meta.fields} - {"id", "feed", "station_id"}
    return Station.objects.filter(number=1).values(*names).get()
