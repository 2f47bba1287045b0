"""Make the AsyncAPI 3.0 document of the site: its topics, the events in them, and who reads them."""

from collections.abc import Mapping
from typing import Any

import msgspec

from eventbus.events import EVENT_BYTES_MAX, KEY_CHARACTERS_MAX, KEY_SEPARATOR, Event
from eventbus.schemas.json_schema import Schema, schema_of

VERSION = "3.0.0"
BINDING = "0.5.0"  # of AsyncAPI's Kafka bindings
LICENCE = {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"}
HEADERS = {
    "ce_specversion": {"type": "string", "const": "1.0"},
    "ce_id": {"type": "string", "format": "uuid", "description": "The event's id. With ce_source it is unique."},
    "ce_source": {"type": "string", "description": "The site that published the event."},
    "ce_time": {"type": "string", "format": "date-time", "description": "The time of its publication, in UTC."},
    "ce_subject": {"type": "string", "description": "The record's key."},
    "ce_partitionkey": {"type": "string", "description": "The record's key."},
    "ce_sequence": {"type": "string", "description": "It grows within a topic and key, with gaps."},
    "ce_correlationid": {"type": "string", "description": "The request, or the first event, that led to this one."},
    "ce_causationid": {"type": "string", "description": "The event whose handler published this one."},
    "ce_traceparent": {"type": "string", "description": "The W3C trace that the event belongs to."},
    "ce_signature": {"type": "string", "description": "The site's mark on the record."},
    "content-type": {"type": "string", "const": "application/json"},
}
REQUIRED = ["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "content-type"]


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """A topic: its address, and for a log on brokers its shape. `groups`: by group, the types that it handles."""

    address: str
    groups: dict[str, list[str]]
    binding: dict[str, Any] | None = None


def document(events: Mapping[str, type[Event]], channels: Mapping[str, Channel], *, title: str, version: str) -> Schema:
    """Return the document. `events`: by wire type; `channels`: by topic, one for the topic of each event."""
    schemas: dict[str, Schema] = {}
    messages = {name: _message(name, one, schemas) for name, one in events.items()}
    by_topic = {
        topic: [name for name, one in events.items() if one.topic == topic]
        for topic in sorted({one.topic for one in events.values()})
    }
    return {
        "asyncapi": VERSION,
        "info": {
            "title": title,
            "version": version,
            "license": LICENCE,
            "description": f"CloudEvents 1.0 on Kafka, in binary mode, with up to {EVENT_BYTES_MAX} bytes of data.",
        },
        "defaultContentType": "application/json",
        "channels": {topic: _channel(topic, names, channels[topic]) for topic, names in by_topic.items()},
        "operations": dict(
            operation for topic, names in by_topic.items() for operation in _operations(topic, names, channels[topic])
        ),
        "components": {"messages": messages, "schemas": schemas},
    }


def _message(name: str, event_type: type[Event], schemas: dict[str, Schema]) -> Schema:
    """Return the message of an event. Its schema, and those of the structs in it, are added to `schemas`."""
    schema = schema_of(event_type)
    for struct, one in schema.pop("$defs", {}).items():
        schemas[f"{name}.{struct}"] = _referring(one, name)
    schemas[name] = {key: one for key, one in _referring(schema, name).items() if key not in ("$schema", "$id")}
    headers = {**HEADERS, "ce_type": {"type": "string", "const": name}}
    binding = {
        "key": {"type": "string", "maxLength": KEY_CHARACTERS_MAX, "description": _key(event_type)},
        "bindingVersion": BINDING,
    }
    return {
        "name": name,
        "title": event_type.__name__,
        "summary": schema["description"].partition("\n")[0],
        "contentType": "application/json",
        "headers": {"type": "object", "properties": headers, "required": REQUIRED},
        "correlationId": {"location": "$message.header#/ce_correlationid"},
        "payload": {"$ref": f"#/components/schemas/{name}"},
        "bindings": {"kafka": binding},
    }


def _key(event_type: type[Event]) -> str:
    return f"The value of {KEY_SEPARATOR.join(event_type.key_fields)}: order is kept per key."


def _referring(schema: Any, name: str) -> Any:
    """Return a schema whose references name the schemas of the whole document."""
    if isinstance(schema, list):
        return [_referring(one, name) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if reference := schema.get("$ref"):
        return {**schema, "$ref": f"#/components/schemas/{name}.{reference.rpartition('/')[2]}"}
    return {key: _referring(value, name) for key, value in schema.items()}


def _channel(topic: str, names: list[str], channel: Channel) -> Schema:
    told: Schema = {
        "address": channel.address,
        "title": topic,
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
    }
    return told | ({"bindings": {"kafka": channel.binding}} if channel.binding else {})


def _operations(topic: str, names: list[str], channel: Channel) -> list[tuple[str, Schema]]:
    def operation(action: str, title: str, kinds: list[str]) -> Schema:
        return {
            "action": action,
            "title": title,
            "channel": {"$ref": f"#/channels/{topic}"},
            "messages": [{"$ref": f"#/channels/{topic}/messages/{name}"} for name in kinds],
        }

    told = [(f"publish.{topic}", operation("send", f"The site publishes into {topic}", names))]
    for group, handled in sorted(channel.groups.items()):
        kinds = [name for name in names if name in handled]
        told.append((f"{group}.{topic}", operation("receive", f"Group {group} handles events of {topic}", kinds)))
    return told
