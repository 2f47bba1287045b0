"""What others read of a station is held by a file: its bytes only change when somebody changes that file."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from eventbus.models import OutboxRow
from stations.events import Kind, StationChanged
from stations.feeds.feed_interface import Change
from stations.live.station_view import StationView
from stations.services import recording
from tests.stations.readings import BELLECOUR, NOON, STATE
from tests.stations.test_recording import record

GOLDEN = Path(__file__).parent / "golden"
NOW, BEFORE = GOLDEN / "station_changed.json", GOLDEN / "station_changed_2026_11.json"
# What a well-known reader of such a topic, a demonstration in Java, takes from each value.
READ_BY_OTHERS = {
    "number": 2010,
    "contract_name": "lyon",
    "name": "2010 - BELLECOUR / RÉPUBLIQUE",
    "address": "Angle rue de la République",
    "position": {"lat": 45.757, "lng": 4.832},
    "banking": True,
    "bonus": False,
    "bike_stands": 20,
    "available_bike_stands": 9,
    "available_bikes": 10,
    "status": "OPEN",
    "last_update": 1777636800000,
}


@pytest.fixture
def told(transactional_db: None) -> bytes:
    """The value of the record that a change of Bellecour makes."""
    state = replace(STATE, name=READ_BY_OTHERS["name"], address=READ_BY_OTHERS["address"], stands=9)
    record(Change(BELLECOUR, 1, (Kind.APPEARED,), state, NOON))
    return bytes(OutboxRow.objects.get(topic=StationChanged.topic).payload)


def test_the_value_is_what_the_file_holds(told: bytes) -> None:
    assert told.decode() == NOW.read_text().rstrip("\n")


def test_the_value_has_the_fields_that_others_read(told: bytes) -> None:
    value: dict[str, Any] = msgspec.json.decode(told)

    assert {name: value.get(name) for name in READ_BY_OTHERS} == READ_BY_OTHERS


def test_a_station_that_never_reported_has_no_last_update(transactional_db: None) -> None:
    record(Change(BELLECOUR, 1, (Kind.APPEARED,), STATE, None))

    assert msgspec.json.decode(bytes(OutboxRow.objects.get(topic="stations").payload))["last_update"] is None


@pytest.mark.django_db(transaction=True)
def test_what_was_told_before_these_words_were_added_is_still_read() -> None:
    before = msgspec.json.decode(BEFORE.read_bytes(), type=StationChanged)
    now = msgspec.json.decode(NOW.read_bytes(), type=StationChanged)

    recording.write_history(before)

    assert StationView.of(before) == StationView.of(now)
    assert before.key() == "jcdecaux:lyon:2010"
