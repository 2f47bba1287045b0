"""The page of events is what the code makes of them now, and each example is what a reader would be given."""

import msgspec
import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka_event

from eventbus.backends.base import partition_of
from eventbus.backends.kafka import envelope
from eventbus.events import Event, decode
from mcommerce.events import OrderPlaced
from tests.reference import samples
from tests.reference.events_page import PAGE, page
from tests.reference.example_records import PARTITIONS, fixed_values, record_of
from tests.reference.samples import sample_of, site_events


def test_the_page_is_what_is_made_now() -> None:
    assert PAGE.read_text() == page(), "run: make reference"


@pytest.mark.parametrize("event_type", site_events(), ids=lambda one: one.wire_type())
def test_an_example_is_read_as_its_event(event_type: type[Event]) -> None:
    record = record_of(event_type)
    headers = {name: text.encode() for name, text in record.headers}
    told = from_kafka_event(KafkaMessage(dict(headers), record.key.encode(), record.value.encode()))

    assert decode(record.value.encode(), event_type) == sample_of(event_type)
    assert (told.get_type(), told.get_subject()) == (event_type.wire_type(), record.key)
    assert record.partition == partition_of(record.key, PARTITIONS)


def test_an_example_is_trusted_by_who_has_its_key() -> None:
    record = record_of(site_events()[0])

    class Message:
        """As a client gives it."""

        headers = staticmethod(lambda: [(name, text.encode()) for name, text in record.headers])
        key = staticmethod(lambda: record.key.encode())
        value = staticmethod(lambda: record.value.encode())
        partition = staticmethod(lambda: record.partition)
        offset = staticmethod(lambda: 0)
        timestamp = staticmethod(lambda: (1, 0))

    topic = site_events()[0].topic
    with fixed_values():
        assert envelope.record_of(Message, topic).trusted
        assert not envelope.record_of(Message, "another").trusted
    assert not envelope.record_of(Message, topic).trusted


def test_a_new_event_has_an_example_before_anybody_writes_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(samples, "EVERYWHERE", {})
    record = record_of(OrderPlaced)

    assert record == record_of(OrderPlaced)
    assert msgspec.json.decode(record.value)["currency"] == "EUR"
