"""Whoever can write into the log can make nobody believe it: what the site did not tell is passed over, and named."""

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from eventbus import watches
from eventbus.consuming import trust
from eventbus.events import SOURCE
from eventbus.ids import uuid7
from eventbus.models import InboxRow, Progress, UntrustedRecord
from tests.eventbus.bus_app import Noted, Unknown
from tests.eventbus.bus_app_on_kafka import HouseOnKafka, open_house_on_kafka
from tests.eventbus.busy_site import prune_a_day_later
from tests.eventbus.forger import NOT_TOLD, all_is_well_but_for, says, told_by_us
from tests.waiting import until

FLOOD = 3 * trust.ROWS_MAX


@pytest.fixture
def house(transactional_db: None, kafka: str) -> Iterator[HouseOnKafka]:
    Progress.objects.all().delete()  # of the site's own groups, whose topics are not here
    with open_house_on_kafka(kafka, partitions=1) as house:
        yield house


@pytest.fixture(autouse=True)
def nothing_was_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trust, "_said", dict.fromkeys(trust._said, float("-inf")))


@pytest.mark.parametrize(
    "headers",
    [
        says(),
        says(signature=""),
        says(signature="0" * 48),
        says(signature="é" * 24),
        says(source="/of-nobody"),
        says(source=""),
        {"ce_type": Noted.wire_type().encode()},
    ],
    ids=["unsigned", "empty", "invented", "no ASCII", "another source", "no source", "a type alone"],
)
def test_what_a_stranger_says_is_not_heard_and_named(house: HouseOnKafka, headers: dict[str, bytes]) -> None:
    house.handler()
    house.say(("vase", 1))
    house.settle()

    house.append(NOT_TOLD, key=b"vase", headers=headers)
    house.say(("vase", 2))
    house.settle(raise_errors=True)

    assert house.seen(name="vase") == [1, 2]
    all_is_well_but_for(house, 1)
    row = UntrustedRecord.objects.get()
    assert (row.group, row.topic, row.partition, row.offset) == ("house-a", Noted.topic, 0, 1)
    assert (row.type, row.key) == (Noted.wire_type(), "vase")


def test_a_whole_event_in_one_json_object_is_believed_no_more(house: HouseOnKafka) -> None:
    house.handler()
    told = {"specversion": "1.0", "id": str(uuid7()), "source": SOURCE, "type": Noted.wire_type()}
    value = json.dumps(told | {"data": {"name": "vase", "number": 666}}).encode()
    house.append(value, key=b"vase", headers={"content-type": b"application/cloudevents+json"})

    house.settle(raise_errors=True)

    all_is_well_but_for(house, 1)


@pytest.mark.parametrize(
    ("changed", "key", "value"),
    [
        ({}, b"vase", NOT_TOLD),
        ({}, b"chair", None),
        ({"ce_id": str(uuid7()).encode()}, b"vase", None),
        ({"ce_sequence": b"00000000000000009999"}, b"vase", None),
        ({"ce_time": b"2020-01-01T00:00:00+00:00"}, b"vase", None),
        ({"ce_more": b"1"}, b"vase", None),
        ({"ce_causationid": b"1"}, b"vase", None),
    ],
    ids=["payload", "key", "id", "sequence", "time", "an attribute more", "cause"],
)
def test_a_signature_fits_nothing_but_its_own_record(
    house: HouseOnKafka, changed: dict[str, bytes], key: bytes, value: bytes | None
) -> None:
    house.handler()
    ours = told_by_us(house)
    headers = dict(ours.headers()) | changed

    house.append(value or ours.value(), key=key, headers=headers)
    house.settle(raise_errors=True)

    assert house.seen() == [("vase", 1)]
    all_is_well_but_for(house, 1)


def test_a_record_that_is_copied_into_another_partition_overtakes_nothing(transactional_db: None, kafka: str) -> None:
    Progress.objects.all().delete()
    with open_house_on_kafka(kafka, partitions=2) as house:
        house.handler()
        ours = told_by_us(house)
        house.append(ours.value(), key=ours.key(), headers=ours.headers(), partition=1 - ours.partition())

        house.settle(raise_errors=True)

        assert house.seen() == [("vase", 1)]
        assert list(UntrustedRecord.objects.values_list("partition", flat=True)) == [1 - ours.partition()]


def test_a_forged_record_takes_no_events_place(house: HouseOnKafka) -> None:
    """It has the id of one that is told already and not handled yet."""
    house.handler()
    [event_id] = house.say(("vase", 1))
    house.append(NOT_TOLD, key=b"vase", headers=says(id=str(event_id)))

    house.settle(raise_errors=True)

    assert house.seen() == [("vase", 1)]
    all_is_well_but_for(house, 1)


def test_pruning_goes_on_over_forged_records(house: HouseOnKafka, bus_clock: Any) -> None:
    house.handler()
    house.say(("vase", 1))
    house.settle()
    for attributes in ({}, {"type": Unknown.wire_type()}, {"type": "of.nobody.v1"}):
        house.append(NOT_TOLD, key=b"vase", headers=says(**attributes))
    house.say(("vase", 2))
    house.settle(raise_errors=True)
    house.backend.earliest_offsets = lambda places: {}  # Kafka has let go of all of it

    pruned = prune_a_day_later(bus_clock)

    assert pruned.events == 1, "all but the newest"
    assert InboxRow.objects.count() == 1
    all_is_well_but_for(house, 3)


def test_a_type_that_anybody_may_tell_is_still_not_told_in_our_name(
    house: HouseOnKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Noted, "unsigned_from", (trust.ANYBODY,))
    house.handler()
    house.append(b'{"name":"vase","number":1}', key=b"vase", headers=says(source="/of-nobody"))
    house.append(NOT_TOLD, key=b"vase", headers=says())

    house.settle(raise_errors=True)

    assert house.seen() == [("vase", 1)]
    all_is_well_but_for(house, 1)


def test_a_flood_is_counted_and_fills_no_table(house: HouseOnKafka, caplog: pytest.LogCaptureFixture) -> None:
    house.handler()
    for number in range(FLOOD):
        house.append(NOT_TOLD, key=b"%d" % number, headers=says())

    house.settle(raise_errors=True)

    assert UntrustedRecord.objects.count() == trust.ROWS_MAX
    all_is_well_but_for(house, FLOOD)
    assert len([one for one in caplog.records if one.name == "eventbus.consuming.trust"]) <= 1


def test_no_effect_is_asked_for_and_no_brake_closed_or_opened_by_it(house: HouseOnKafka) -> None:
    asked = house.asking("house-a", on_unknown_outcome="never")
    house.append(NOT_TOLD, key=b"vase", headers=says())
    house.say(("vase", 1))

    house.settle(raise_errors=True)

    assert asked == [1]
    all_is_well_but_for(house, 1)


def test_no_page_hears_of_it(house: HouseOnKafka) -> None:
    heard: list[Noted] = []
    with closing(watches(Noted, call=heard.extend)):
        house.append(NOT_TOLD, key=b"vase", headers=says())
        house.say(("vase", 1))
        house.relay()
        until(lambda: heard, "what the site has told")

    assert [event.number for event in heard] == [1]


def test_groups_begin_behind_the_last_record_of_ours_whatever_others_say(house: HouseOnKafka) -> None:
    told_by_us(house)
    house.append(NOT_TOLD, key=b"vase", headers=says())

    assert house.backend.strays(Noted.topic, lambda: None) == {0: 1}


def test_a_record_that_is_copied_whole_is_dropped_as_any_repeat(house: HouseOnKafka) -> None:
    house.handler()
    ours = told_by_us(house)
    for _ in range(3):
        house.append(ours.value(), key=ours.key(), headers=ours.headers())

    house.settle(raise_errors=True)

    assert house.seen() == [("vase", 1)]
    all_is_well_but_for(house, 0)
