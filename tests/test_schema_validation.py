"""A record that does not fit the JSON Schema of its event is found, whichever backend it is read from."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from django.db import transaction

from eventbus import publish
from eventbus.events import Record
from eventbus.ids import uuid7
from eventbus.models import OutboxRow
from eventbus.testing import sample
from stations.events import RemarkLeft
from tests import outbox_check
from tests.eventbus.bus_app import House, Noted, open_house
from tests.eventbus.bus_app_on_kafka import open_house_on_kafka
from tests.live_site import LiveSite
from tests.schema_validation import misfit, misfits, misfits_in_outbox
from tests.sweep import verdict

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


# --- sites in processes of their own -------------------------------------------------------------------------------

RIGHT = record().payload
REMARK = RemarkLeft.wire_type()
FOUND = f"{REMARK}: $.at: 1 is not of type 'string'"


def test_a_row_that_does_not_fit_and_an_unknown_event_are_found_in_an_outbox() -> None:
    rows = [(1, REMARK, RIGHT), (2, REMARK, memoryview(record(at=1).payload)), (3, "station.remarked.v1", RIGHT)]

    assert misfits_in_outbox(rows) == [
        f"outbox 2: {FOUND}",
        "outbox 3: station.remarked.v1: no event is declared by this name",
    ]


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


@pytest.mark.django_db
def test_the_verdicts_of_the_sweep_and_of_chaos_tell_of_a_row_that_does_not_fit(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with transaction.atomic():
        publish(sample(RemarkLeft), sample(RemarkLeft))
    assert verdict.fitting() == []

    [wrong, _right] = OutboxRow.objects.order_by("id")
    OutboxRow.objects.filter(pk=wrong.pk).update(payload=record(at=1).payload)
    outbox_check.main()

    assert verdict.fitting() == [f"outbox {wrong.pk}: {FOUND}"]
    assert capsys.readouterr().out == f"outbox {wrong.pk}: {FOUND}\n"
