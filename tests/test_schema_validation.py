"""A record that does not fit the JSON Schema of its event is found, whichever backend it is read from."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from eventbus.events import Record
from eventbus.ids import uuid7
from eventbus.models import OutboxRow
from stations.events import RemarkLeft
from tests.eventbus.bus_app import House, Noted, open_house
from tests.eventbus.bus_app_on_kafka import open_house_on_kafka
from tests.live_site import LiveSite
from tests.schema_validation import misfit, misfits

WRONG = b'{"name":"vase","number":"one"}'


@pytest.fixture(params=["memory", pytest.param("kafka", marks=pytest.mark.kafka)])
def house(request: pytest.FixtureRequest, transactional_db: None) -> Iterator[House]:
    if request.param == "memory":
        with open_house() as house:
            yield house
    else:
        with open_house_on_kafka(request.getfixturevalue("kafka"), partitions=1) as on_kafka:
            yield on_kafka


@pytest.mark.misfits
def test_an_event_whose_data_does_not_fit_is_found(house: House) -> None:
    house.handler()
    house.say(("vase", 1), ("chair", 1))
    OutboxRow.objects.filter(key="vase").update(payload=WRONG)

    house.settle()

    assert len(set(misfits)) == 1
    assert misfits[0].endswith("house.noted.v1: $.number: 'one' is not of type 'integer'")


def record(**fields: Any) -> Record:
    value = {"remark_id": str(uuid7()), "name": "", "message": "", "at": "2026-05-01T12:00:00Z"} | fields
    return Record(
        topic=RemarkLeft.topic,
        partition=0,
        offset=0,
        key="a",
        type=RemarkLeft.wire_type(),
        event_id=uuid7(),
        payload=msgspec.json.encode(value),
        headers='{"source":"/mcommerce"}',
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"remark_id": "one"},
        {"name": None},
        {"at": "yesterday"},
        {"at": "2026-05-01T12:00:00"},  # no offset from UTC
        {"at": 1},
    ],
)
def test_a_field_that_is_wrong_is_named(fields: dict[str, Any]) -> None:
    assert f"station.remark_left.v1: $.{next(iter(fields))}: " in misfit(record(**fields))


def test_records_of_others_are_not_judged() -> None:
    wrong = record(at=1)

    assert misfit(wrong)
    assert misfit(msgspec.structs.replace(wrong, headers='{"source":"/elsewhere"}')) == ""
    assert misfit(msgspec.structs.replace(wrong, trusted=False)) == ""
    assert misfit(msgspec.structs.replace(wrong, type="another.v1")) == ""
    assert Noted.wire_type() in misfit(msgspec.structs.replace(wrong, type=Noted.wire_type(), payload=b"{"))


# --- sites in processes of their own -------------------------------------------------------------------------------

RIGHT = record().payload
REMARK = RemarkLeft.wire_type()


def test_a_live_site_with_a_row_that_does_not_fit_is_told_of(tmp_path: Path) -> None:
    site = LiveSite(tmp_path)
    with closing(sqlite3.connect(site.database_path)) as database, database:
        database.execute("CREATE TABLE eventbus_outbox (id INTEGER, type TEXT, payload BLOB)")
        database.execute("INSERT INTO eventbus_outbox VALUES (1, ?, ?)", (REMARK, RIGHT))
    site.check_events()

    with closing(sqlite3.connect(site.database_path)) as database, database:
        database.execute("INSERT INTO eventbus_outbox VALUES (2, ?, ?)", (REMARK, record(at=1).payload))

    with pytest.raises(AssertionError, match="outbox 2: "):
        site.check_events()
