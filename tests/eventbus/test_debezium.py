"""The outbox can be read by Debezium's outbox event router, set as docs/debezium.md says."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka_event
from django.db import connection

from eventbus.events import SOURCE
from eventbus.models import OutboxRow
from tests.eventbus.bus_app_on_kafka import HouseOnKafka, open_house_on_kafka

PAGE = (Path(__file__).parents[2] / "docs" / "debezium.md").read_text()
[PROPERTIES] = re.findall(r"```properties\n(.*?)```", PAGE, re.DOTALL)
ROUTER = "transforms.outbox."


def read(properties: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in properties.splitlines())


SETTINGS = read(PROPERTIES)


def columns(settings: Mapping[str, str]) -> dict[str, str]:
    """The columns that make a record, each by what it is for."""
    return {
        "id": settings[ROUTER + "table.field.event.id"],
        "key": settings[ROUTER + "table.field.event.key"],
        "payload": settings[ROUTER + "table.field.event.payload"],
        "route": settings[ROUTER + "route.by.field"],
    }


def placed(settings: Mapping[str, str]) -> list[list[str]]:
    """The columns that become headers: column, place, name."""
    return [one.split(":") for one in settings[ROUTER + "table.fields.additional.placement"].split(",")]


def unknown_columns(properties: str) -> set[str]:
    """Those that the connector would read, and the outbox does not have."""
    told = read(properties)
    return {*columns(told).values(), *(column for column, _, _ in placed(told))} - {
        field.column for field in OutboxRow._meta.fields
    }


COLUMNS, PLACED = columns(SETTINGS), placed(SETTINGS)
INSERTED = {
    SETTINGS[f"transforms.{name}.header"]: SETTINGS[f"transforms.{name}.value.literal"]
    for name in SETTINGS["transforms"].split(",")
    if SETTINGS[f"transforms.{name}.type"].endswith(".InsertHeader")
}


@pytest.fixture
def house(transactional_db: None, kafka: str) -> Iterator[HouseOnKafka]:
    with open_house_on_kafka(kafka, partitions=1) as house:
        yield house


def routed() -> tuple[str, KafkaMessage]:
    """What the router and what follows it make of the only row: a record, and the topic that it goes to."""
    [row] = OutboxRow.objects.values()
    topic = SETTINGS[ROUTER + "route.topic.replacement"].replace("${routedByValue}", row[COLUMNS["route"]])
    told = {alias: row[column].isoformat() if alias == "ce_time" else str(row[column]) for column, _, alias in PLACED}
    headers = {"id": str(row[COLUMNS["id"]])} | told | INSERTED
    encoded = {name: text.encode() for name, text in headers.items()}
    return topic, KafkaMessage(encoded, row[COLUMNS["key"]].encode(), bytes(row[COLUMNS["payload"]]))


@pytest.mark.django_db
def test_the_columns_that_it_reads_are_there_and_never_empty() -> None:
    with connection.cursor() as cursor:
        table = SETTINGS["table.include.list"].removeprefix("public.")
        found = {one.name: one for one in connection.introspection.get_table_description(cursor, table)}

    for column in {*COLUMNS.values(), *(column for column, _, _ in PLACED)}:
        assert found[column].null_ok is False, column
    assert OutboxRow._meta.get_field(COLUMNS["payload"]).get_internal_type() == "BinaryField"
    assert OutboxRow._meta.get_field(COLUMNS["id"]).get_internal_type() == "UUIDField"
    assert INSERTED["ce_source"] == SOURCE


def test_every_column_on_the_page_is_one_that_the_router_is_told_of() -> None:
    told = re.findall(r"^\| [^|]+ \| `([a-z_]+)` \|", PAGE, re.MULTILINE)

    assert set(told) == {*COLUMNS.values(), *(column for column, _, _ in PLACED)}


def test_what_comes_out_is_the_event_that_the_bus_tells(house: HouseOnKafka) -> None:
    [event_id] = house.say(("vase", 1))

    topic, message = routed()

    event = from_kafka_event(message)
    assert (topic, message.key) == ("outbox.house", b"vase")
    assert (event.get_id(), event.get_type(), event.get_source()) == (str(event_id), "house.noted.v1", SOURCE)
    assert event.get_data() == {"name": "vase", "number": 1}


def test_in_the_bus_own_topic_it_would_be_a_repeat(house: HouseOnKafka) -> None:
    house.handler()
    house.say(("vase", 1))
    _, message = routed()

    house.settle(raise_errors=True)
    house.append(message.value, key=message.key, headers=message.headers)
    house.settle(raise_errors=True)

    assert (house.offset(), house.seen()) == (2, [("vase", 1)])
