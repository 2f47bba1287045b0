"""A record that does not fit the JSON Schema of its event is found, whichever backend it is read from."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from eventbus.events import Record
from eventbus.ids import uuid7
from eventbus.models import OutboxRow
from stations.events import RemarkLeft
from tests.eventbus.bus_app import House, Noted, open_house
from tests.eventbus.bus_app_on_kafka import open_house_on_kafka
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


def test_what_fits_is_not_found(house: House) -> None:
    house.handler()
    house.say(("vase", 1), ("chair", 1))

    house.settle()

    assert misfits == []


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


def test_a_record_with_more_fields_fits() -> None:
    assert misfit(record(more=1)) == ""


def test_a_missing_field_is_named() -> None:
    without = msgspec.structs.replace(record(), payload=b"{}")

    assert "'remark_id' is a required property" in misfit(without)


def test_records_of_others_are_not_judged() -> None:
    wrong = record(at=1)

    assert misfit(wrong)
    assert misfit(msgspec.structs.replace(wrong, headers='{"source":"/elsewhere"}')) == ""
    assert misfit(msgspec.structs.replace(wrong, trusted=False)) == ""
    assert misfit(msgspec.structs.replace(wrong, type="another.v1")) == ""
    assert Noted.wire_type() in misfit(msgspec.structs.replace(wrong, type=Noted.wire_type(), payload=b"{"))
