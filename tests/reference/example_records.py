"""The Kafka record of an example event, as the relay sends it: the same each time it is made."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import sha256
from typing import NamedTuple

from django.conf import settings
from django.test import override_settings

from eventbus import clock
from eventbus.backends.base import Unsent, partition_of
from eventbus.backends.kafka.envelope import headers_of
from eventbus.events import SOURCE, Event
from eventbus.publishing.encoding import encode
from tests.reference.samples import sample_of

SIGNING_KEY = "an example of a signing key, and of no use"
PARTITIONS = 4  # EVENTBUS_PARTITIONS, unless it is set
ROW = 1042  # of the outbox
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
ID = "019de311-6200-7000-8000-"  # the rest is made of the type, so that each event has one of its own


class ExampleRecord(NamedTuple):
    """A record on the brokers."""

    partition: int
    key: str
    headers: list[tuple[str, str]]
    value: str


@contextmanager
def fixed_values() -> Iterator[None]:
    """The clock stands, and the signing key is the one that the page names."""
    bus = settings.EVENTBUS | {"SIGNING_KEYS": [SIGNING_KEY], "SOURCE": SOURCE}
    clock.hold(NOON)
    try:
        with override_settings(EVENTBUS=bus):
            yield
    finally:
        clock.hold(None)


def record_of(event_type: type[Event]) -> ExampleRecord:
    """The record of the example of a type."""
    with fixed_values():
        [encoded] = encode([sample_of(event_type)])
        headers = _with_id(encoded.headers, encoded.identity, ID + sha256(encoded.type.encode()).hexdigest()[:12])
        row = Unsent(ROW, encoded.topic, encoded.type, encoded.key, encoded.payload, headers)
        partition = partition_of(row.key, PARTITIONS)
        named = [(name, _text(value)) for name, value in headers_of(row, partition)]
    return ExampleRecord(partition, row.key, named, row.payload.decode())


def _with_id(headers: str, drawn: str, fixed: str) -> str:
    """Replace the random id, and the trace that is made of it."""
    before, after = drawn.replace("-", ""), fixed.replace("-", "")
    return headers.replace(drawn, fixed).replace(before, after).replace(before[16:], after[16:])


def _text(value: str | bytes | None) -> str:
    assert isinstance(value, bytes)
    return value.decode()
