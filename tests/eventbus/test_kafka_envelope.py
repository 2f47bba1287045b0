"""What goes over the wire is CloudEvents 1.0, as its SDK writes and reads it; and what is not harms nobody."""

import json
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka_event, to_binary_event, to_structured_event
from cloudevents.core.v1.event import CloudEvent
from confluent_kafka import Consumer, TopicPartition

from eventbus import watches
from eventbus.audit import delivery_audit
from eventbus.events import KEY_CHARACTERS_MAX, Record
from eventbus.models import DeadLetter, OutboxRow, Progress
from eventbus.repairs import untrusted_records
from tests.eventbus.bus_app import Mended, Noted
from tests.eventbus.bus_app_on_kafka import FLUSH_SECONDS, HouseOnKafka, open_house_on_kafka
from tests.kafka.headers import append_with_header
from tests.waiting import until

OF_ANOTHER = {"id": "0000-17", "source": "/elsewhere", "type": Noted.wire_type(), "specversion": "1.0"}
OFTEN = 50  # calls after which Python has quickened them
BROKEN_BYTES = b'\xff\x00{"name": "vase"'


@pytest.fixture
def house(transactional_db: None, kafka: str) -> Iterator[HouseOnKafka]:
    with open_house_on_kafka(kafka, partitions=1) as house:
        yield house


def append_event(house: HouseOnKafka, message: KafkaMessage) -> None:
    key = message.key.encode() if isinstance(message.key, str) else message.key
    house.append(message.value, key=key, headers=message.headers)


def append_told(house: HouseOnKafka, value: bytes | None, key: bytes | None = None, **attributes: str) -> None:
    headers = {f"ce_{name}": text.encode() for name, text in (OF_ANOTHER | attributes).items()}
    house.append(value, key=key, headers=headers)


def only(records: list[Record]) -> Record:
    assert len(records) == 1
    return records[0]


def raw_message(house: HouseOnKafka) -> Any:
    """The first message of the house's topic, as another program gets it."""
    reader = Consumer({"bootstrap.servers": house.servers, "group.id": "another"})
    try:
        reader.assign([TopicPartition(house.prefix + Noted.topic, 0, 0)])
        message = reader.poll(FLUSH_SECONDS)
        assert message is not None and message.error() is None
        return message
    finally:
        reader.close()


class TestOthersReadOurs:
    def test_the_sdk_finds_every_attribute_and_the_data(self, house: HouseOnKafka) -> None:
        [event_id] = house.say(("vase", 1))
        house.relay()

        message = raw_message(house)
        event = from_kafka_event(KafkaMessage(dict(message.headers()), message.key(), message.value()))

        row = OutboxRow.objects.get()
        assert event.get_data() == {"name": "vase", "number": 1}
        assert (event.get_id(), event.get_source(), event.get_type()) == (str(event_id), "/mcommerce", "house.noted.v1")
        assert (event.get_specversion(), event.get_datacontenttype()) == ("1.0", "application/json")
        assert (event.get_subject(), event.get_time()) == ("vase", row.created_at)
        assert event.get_extension("partitionkey") == "vase"
        assert event.get_extension("sequence") == f"{row.id:020d}"
        assert event.get_extension("traceparent").startswith("00-")
        assert event.get_extension("correlationid") == str(event_id)

    def test_the_key_and_the_value_are_plain(self, house: HouseOnKafka) -> None:
        house.say(("vasé", 1))
        house.relay()

        message = raw_message(house)

        assert (message.key(), json.loads(message.value())) == ("vasé".encode(), {"name": "vasé", "number": 1})


class TestWeReadOthers:
    @pytest.mark.parametrize("write", [to_binary_event, to_structured_event], ids=["binary", "structured"])
    def test_what_the_sdk_writes_is_handled(self, house: HouseOnKafka, write: Any) -> None:
        house.handler()
        told = OF_ANOTHER | {"time": datetime(2026, 1, 2, tzinfo=UTC), "partitionkey": "vase", "flavour": "sweet"}
        append_event(house, write(CloudEvent(told, {"name": "vase", "number": 7, "unknown": 1.0})))

        house.settle(raise_errors=True)

        record = only(house.log())
        assert house.seen() == [("vase", 7)]
        assert (delivery_audit.read().foreign, delivery_audit.read().violations) == ({"house-a": 1}, [])
        assert (record.key, record.attributes()["flavour"]) == ("vase", "sweet")
        assert record.attributes()["time"].startswith("2026-01-02T00:00:00")

    @pytest.mark.parametrize(
        ("media", "value", "payload"),
        [
            ("application/cloudevents+json", {"data": {"b": 1}}, b'{"b": 1}'),
            ("Application/CloudEvents+JSON; charset=UTF-8", {"data": [1, 2]}, b"[1, 2]"),
            ("application/cloudevents+json", {"data_base64": "/wAB"}, b"\xff\x00\x01"),
            ("application/cloudevents+json", {"data_base64": "no base64!"}, b'"no base64!"'),
            ("application/cloudevents+json", {"data": "<a/>", "datacontenttype": "text/xml"}, b"<a/>"),
            ("application/cloudevents+json", {"data": "text", "datacontenttype": "a/b+json"}, b'"text"'),
            ("application/cloudevents+json", {}, b""),
        ],
    )
    def test_structured_data_keeps_its_own_bytes(
        self, house: HouseOnKafka, media: str, value: dict[str, Any], payload: bytes
    ) -> None:
        house.append(json.dumps(OF_ANOTHER | value).encode(), headers={"content-type": media})

        record = only(house.log())

        assert (record.type, record.payload) == (Noted.wire_type(), payload)

    def test_structured_attributes_are_text_as_in_binary_mode(self, house: HouseOnKafka) -> None:
        value = OF_ANOTHER | {"count": 12, "good": True, "none": None}
        house.append(json.dumps(value).encode(), headers={"content-type": "application/cloudevents+json"})

        told = only(house.log()).attributes()

        assert (told["count"], told["good"]) == ("12", "true")
        assert "none" not in told

    def test_an_id_that_is_no_uuid_counts_with_its_source(self, house: HouseOnKafka) -> None:
        house.handler()
        number = "00000000000000000000000000000017"  # 32 digits, and no UUID
        for source in ("/here", "/here", "/there"):
            append_told(house, b'{"name":"vase","number":1}', b"vase", source=source, id=number)

        house.settle(raise_errors=True)

        assert house.seen() == [("vase", 1), ("vase", 1)]
        assert UUID(number) not in {record.event_id for record in house.log()}

    def test_records_without_an_id_are_told_apart(self, house: HouseOnKafka) -> None:
        house.handler()
        for number in (1, 2):
            append_told(house, b'{"name":"vase","number":%d}' % number, b"vase", id="")

        house.settle(raise_errors=True)

        assert house.seen(name="vase") == [1, 2]


class TestStrangeRecords:
    @pytest.mark.parametrize(
        "strange",
        [
            {"value": b"no headers"},
            {"value": None, "key": b"vase"},  # a tombstone
            {"value": b"", "headers": {"ce_type": None, "content-type": b"\xff"}},
            {"value": b"{", "headers": {"content-type": "application/cloudevents+json"}},
            {"value": b'{"x":' + b"[" * 100_000, "headers": {"content-type": "application/cloudevents+json"}},
            {"value": b"{}", "headers": {"ce_type": b"elsewhere\0.told.v1"}},
        ],
        ids=["headers missing", "tombstone", "no text", "half", "deep", "unknown type"],
    )
    def test_what_no_group_knows_is_passed_over(self, house: HouseOnKafka, strange: dict[str, Any]) -> None:
        house.handler()
        house.append(**strange)
        house.say(("vase", 1))

        house.settle(raise_errors=True)

        assert house.seen() == [("vase", 1)]
        assert house.offset() == 2
        assert Progress.objects.get(group="house-a").ignored == 0  # that counts what was published here

    @pytest.mark.parametrize(
        "strange", [{"value": b"no headers"}, {"value": None, "key": b"vase"}], ids=["headers missing", "tombstone"]
    )
    def test_what_is_no_event_at_all_is_named(self, house: HouseOnKafka, strange: dict[str, Any]) -> None:
        house.handler()
        house.append(**strange)
        house.say(("vase", 1))

        house.settle(raise_errors=True)

        assert untrusted_records.counts() == {"house-a": 1}
        assert "without a type of nobody" in untrusted_records.problems()[0]
        assert not delivery_audit.read().violations

    def test_a_header_whose_name_is_no_text_stops_nobody(self, house: HouseOnKafka) -> None:
        heard: list[Noted] = []
        house.handler()
        value = b'{"name":"vase","number":1}'
        with closing(watches(Noted, call=heard.extend)):
            house.say(*(("chair", number) for number in range(OFTEN)))
            house.relay()
            topic = house.prefix + Noted.topic
            append_with_header(house.servers, topic, key=b"vase", value=value, name=b"\xff", text=b"x")
            house.say(("vase", 2))

            house.settle(raise_errors=True)
            until(lambda: len(heard) == OFTEN + 1, "what came behind it")

        [*_, strange, ours] = house.log()
        assert (strange.key, strange.type, strange.payload, strange.ours) == ("vase", "", value, False)
        assert (house.seen(name="vase"), house.offset(), house.dead()) == ([2], OFTEN + 2, [])
        assert heard[-1].number == 2
        assert house.backend.strays(Noted.topic, lambda: None) == {0: ours.offset + 1}
        assert not delivery_audit.read().violations

    @pytest.mark.parametrize("value", [None, BROKEN_BYTES, b'{"x":' + b"[" * 100_000], ids=["none", "broken", "deep"])
    def test_what_cannot_be_read_is_a_dead_letter_byte_for_byte_and_parks_its_key(
        self, house: HouseOnKafka, value: bytes | None
    ) -> None:
        house.handler()
        append_told(house, value, b"vase")
        house.say(("vase", 1), ("chair", 1))

        house.settle()

        [letter] = house.dead()
        assert (bytes(letter.payload), letter.error_class, letter.attempts) == (value or b"", "Undecodable", 1)
        assert (house.parked(), house.waiting(), house.seen()) == (["vase"], [1], [("chair", 1)])

    @pytest.mark.parametrize(
        "key",
        [b"\xff\xfe", b"nul\0nul", "é".encode() * 300, b"x" * 100_000],
        ids=["no UTF-8", "NUL", "long", "longest"],
    )
    def test_any_key_can_be_parked(self, house: HouseOnKafka, key: bytes) -> None:
        house.handler(call=Mended("vase"))
        for number in (1, 2):
            append_told(house, b'{"name":"vase","number":%d}' % number, key, id=str(number))
        append_told(house, b'{"name":"chair","number":3}', key + b"x", id="3")

        house.settle()

        [parked] = house.parked()
        assert len(parked) <= KEY_CHARACTERS_MAX
        assert house.waiting() == [1, 2]
        assert house.seen() == [("chair", 3)]

    @pytest.mark.parametrize("key", [None, b""], ids=["none", "empty"])
    def test_records_without_a_key_do_not_wait_for_each_other(self, house: HouseOnKafka, key: bytes | None) -> None:
        house.handler(call=Mended("vase"))
        append_told(house, b'{"name":"vase","number":1}', key, id="1")
        append_told(house, b'{"name":"chair","number":2}', key, id="2")

        house.settle()

        assert (len(house.parked()), house.waiting(), house.seen()) == (1, [1], [("chair", 2)])

    def test_what_others_sent_upsets_no_account(self, house: HouseOnKafka, bus_clock: Any) -> None:
        broken = Mended("vase", "cup")
        house.handler(call=broken, attempts=2)
        house.say(("chair", 0))
        append_told(house, b'{"name":"chair","number":1}', b"chair", id="1")
        append_told(house, b'{"name":"vase","number":2}', b"vase", id="2")
        append_told(house, b'{"name":"cup","number":3}', b"cup", id="3")
        house.settle()
        assert balanced()  # parked

        bus_clock.advance(hours=1)
        house.settle()
        assert balanced()  # dead
        broken.names.clear()
        assert DeadLetter.objects.filter(key="vase").update(request="requeue") == 1
        assert DeadLetter.objects.filter(key="cup").update(request="discard") == 1
        house.settle()

        assert sorted(house.seen()) == [("chair", 0), ("chair", 1), ("vase", 2)]
        assert balanced()


def balanced() -> bool:
    found = delivery_audit.read()
    return not found.violations and all(account.balance == 0 for account in found.accounts)
