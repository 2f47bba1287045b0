"""What the page about the format promises holds for the example of each event."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from jsonschema import ValidationError

from eventbus.backends.kafka import envelope, signing
from eventbus.backends.topics import RETENTION
from eventbus.events import EVENT_BYTES_MAX, KEY_CHARACTERS_MAX, Event
from tests.reference import events_page
from tests.reference.example_records import PARTITIONS, SIGNING_KEY, record_of
from tests.reference.samples import site_events
from tests.schema_validation import validator

PAGE = (Path(__file__).parents[2] / "docs/reference/wire-format.md").read_text()
[CODE] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
EXAMPLE = re.compile(
    r"^topic +(\S+)\npartition +(\d+)\nkey +(\S+)\nheaders\n(.*?)^value\n(.*?)\n```", re.MULTILINE | re.DOTALL
)
each_event = pytest.mark.parametrize("event_type", site_events(), ids=lambda one: one.wire_type())


def signature_of_the_page() -> Any:
    told: dict[str, Any] = {}
    exec(CODE, told)
    return told["signature"]


def test_a_reader_of_the_two_pages_can_verify_each_example() -> None:
    signature = signature_of_the_page()
    examples = EXAMPLE.findall(events_page.PAGE.read_text())

    assert len(examples) == len(site_events())
    for topic, partition, key, lines, value in examples:
        headers = [tuple(line.strip().split(": ", 1)) for line in lines.splitlines()]
        told = signature(SIGNING_KEY, topic, int(partition), key, headers, value.encode())
        assert told == dict(headers)["ce_signature"], topic


@pytest.mark.parametrize("text", ['"quoted"', "back\\slash", "a\x01b\x1fc\x7f", "line\nbreak\ttab", "é ☃ \u2028", "/"])
def test_the_signature_of_the_page_is_ours_for_any_key(text: str) -> None:
    headers = [("ce_id", "1"), ("ce_subject", text), ("content-type", "application/json")]
    attributes = {"id": "1", "subject": text, "datacontenttype": "application/json"}

    told = signature_of_the_page()(settings.SECRET_KEY, "orders", 3, text, headers, b"{}")

    assert signing.is_signed(told, "orders/3", text, envelope._json(attributes), b"{}")


@each_event
def test_an_example_fits_its_schema(event_type: type[Event]) -> None:
    validator(event_type).validate(_value(event_type))


@each_event
def test_a_value_of_another_type_does_not_fit(event_type: type[Event]) -> None:
    for name in schema_required(event_type):
        with pytest.raises(ValidationError):
            validator(event_type).validate(_value(event_type) | {name: [{}]})


def schema_required(event_type: type[Event]) -> list[str]:
    required: list[str] = validator(event_type).schema["required"]
    return required


def _value(event_type: type[Event]) -> dict[str, Any]:
    value: dict[str, Any] = envelope.msgspec.json.decode(record_of(event_type).value)
    return value


def test_every_header_is_on_the_page() -> None:
    sent = {name for one in site_events() for name, _ in record_of(one).headers} | {"ce_causationid"}
    told = PAGE.partition("## Headers")[2].partition("\n## ")[0]

    assert set(re.findall(r"`(ce_\w+|traceparent|content-type)`", told)) == sent


def test_the_numbers_of_the_page_are_those_of_the_code() -> None:
    assert f"`EVENTBUS_PARTITIONS` ({PARTITIONS})" in PAGE
    assert f"{RETENTION.days} days" in PAGE
    assert f"{EVENT_BYTES_MAX // 1024} kB of data" in PAGE
    assert f"1 to {KEY_CHARACTERS_MAX} characters" in " ".join(PAGE.split())
    assert f"{2 * signing.SIGNATURE_BYTES} hexadecimal digits" in PAGE
