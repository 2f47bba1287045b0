"""The text of `docs/reference/events.md`."""

import json
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from eventbus.events import KEY_SEPARATOR, Event
from eventbus.schemas.json_schema import schema_of
from tests.reference.example_records import PARTITIONS, ROW, SIGNING_KEY, ExampleRecord, record_of
from tests.reference.samples import site_events

PAGE = Path(__file__).parents[2] / "docs/reference/events.md"
BEGIN = f"""# The events

This page is for developers of modules, and of other programs that read or write the site's Kafka topics. After reading
it you know each event: its topic, its key, its import in Python, its fields, and a whole record of it. [The format on
the wire](wire-format.md) explains what all records share. `manage.py eventbus schema TYPE` prints the JSON Schema of an
event's data.

`make reference` writes this page from the event classes and the code that sends them. A test compares the two.

In the examples the topics have {PARTITIONS} partitions, and the row of the outbox is {ROW}. The only signing key is
`{SIGNING_KEY}`. So each example also tests code that verifies signatures. Each
value is one line, exactly the bytes that were signed.
"""


def page() -> str:
    """The whole page."""
    events = site_events()
    return "\n".join([BEGIN, *_overview(events), *(line for one in _topics(events) for line in one)]).rstrip() + "\n"


def _overview(events: list[type[Event]]) -> Iterator[str]:
    yield from ("| type | topic | key |", "|---|---|---|")
    for one in events:
        anchor = one.wire_type().replace(".", "")
        yield f"| [`{one.wire_type()}`](#{anchor}) | `{one.topic}` | {_key(one)} |"
    yield ""


def _topics(events: list[type[Event]]) -> Iterator[list[str]]:
    for topic, found in groupby(events, key=lambda one: one.topic):
        yield [f"## Topic {topic}", ""]
        for one in found:
            yield list(_event(one))


def _event(event_type: type[Event]) -> Iterator[str]:
    schema = schema_of(event_type)
    yield from (f"### {event_type.wire_type()}", "", schema["description"].replace("\n", "\n\n"), "")
    yield from (f"Key: {_key(event_type)}", "", f"In Python: `{_import(event_type)}`", "")
    yield from _fields(schema)
    for name, nested in schema.get("$defs", {}).items():
        yield from ("", f"`{name}`: {nested['description']}", "")
        yield from _fields(nested)
    yield from ("", "```text", *_example(event_type.topic, record_of(event_type)), "```", "")


def _key(event_type: type[Event]) -> str:
    return KEY_SEPARATOR.join(f"`{name}`" for name in event_type.key_fields)


def _import(event_type: type[Event]) -> str:
    return f"from {event_type.__module__} import {event_type.__name__}"


def _fields(schema: dict[str, Any]) -> Iterator[str]:
    yield from ("| field | type | default | |", "|---|---|---|---|")
    for name, field in schema["properties"].items():
        default = f"`{json.dumps(field['default'])}`" if "default" in field else ""
        yield f"| `{name}` | {_type(field)} | {default} | {field.get('description', '').replace('|', 'or')} |"


def _type(field: dict[str, Any]) -> str:
    if "anyOf" in field:
        return " or ".join(map(_type, field["anyOf"]))
    if "$ref" in field:
        return f"`{field['$ref'].rpartition('/')[2]}`"
    if "enum" in field:
        return "one of " + ", ".join(f"`{one}`" for one in field["enum"])
    if "prefixItems" in field:
        return f"array: {', '.join(map(_type, field['prefixItems']))}"
    if field["type"] == "array":
        return f"array of {_type(field['items'])}"
    if field["type"] == "object":
        return f"object, each value {_type(field['additionalProperties'])}"
    return f"{field['type']}, {field['format']}" if "format" in field else str(field["type"])


def _example(topic: str, record: ExampleRecord) -> Iterator[str]:
    yield from (f"topic      {topic}", f"partition  {record.partition}", f"key        {record.key}", "headers")
    yield from (f"  {name}: {text}" for name, text in record.headers)
    yield from ("value", record.value)
