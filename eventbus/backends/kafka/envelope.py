"""An event as a Kafka record and back: CloudEvents 1.0, Kafka protocol binding; binary mode out, both modes in.

Whatever a record holds, it becomes a Record: what cannot be read is for its group to say, with the raw bytes at hand.
"""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID, uuid5

import msgspec

from eventbus.backends.base import Unsent
from eventbus.events import Record, sequenced

PREFIX = "ce_"
CONTENT_TYPE = "content-type"  # CloudEvents' datacontenttype has this header of its own
STRUCTURED = "application/cloudevents+json"
FOREIGN = UUID(
    "5b1f6a52-7c1e-4c6e-9d0b-6f6a3f0c7a11"
)  # namespace for the ids of records that have no UUID of their own

Headers = list[tuple[str, str | bytes | None]]
_encoder = msgspec.json.Encoder()


def headers_of(row: Unsent) -> Headers:
    """The Kafka headers of an event in binary mode."""
    attributes = msgspec.json.decode(sequenced(row.headers, row.id), type=dict[str, str])
    content_type = attributes.pop("datacontenttype", "application/json")
    named = [(PREFIX + name, value.encode()) for name, value in attributes.items()]
    return [*named, (CONTENT_TYPE, content_type.encode())]


def record_of(message: Any, topic: str) -> Record:
    """A fetched message as a Record of `topic`, our own name of it."""
    headers = _decoded(message.headers() or [])
    attributes, payload = _read(headers, message.value() or b"")
    partition, offset = message.partition(), message.offset()
    key = (message.key() or b"").decode("utf-8", "surrogateescape") or attributes.get("partitionkey", "")
    return Record(
        topic=topic,
        partition=partition,
        position=offset,
        key=_plain(key),
        type=attributes.get("type", ""),
        event_id=_id(attributes, f"{topic}/{partition}/{offset}"),
        payload=payload,
        headers=_encoder.encode(attributes).decode(),
    )


def _read(headers: Mapping[str, str], value: bytes) -> tuple[dict[str, str], bytes]:
    content_type = headers.get(CONTENT_TYPE, "")
    if content_type.startswith(STRUCTURED):
        try:
            return _structured(value)
        except (msgspec.DecodeError, ValueError):
            return {}, value
    attributes = {name.removeprefix(PREFIX): text for name, text in headers.items() if name.startswith(PREFIX)}
    if content_type:
        attributes["datacontenttype"] = content_type
    return attributes, value


def _structured(value: bytes) -> tuple[dict[str, str], bytes]:
    """One JSON object holds attributes and data. Raises DecodeError, ValueError."""
    told = msgspec.json.decode(value, type=dict[str, Any])
    data, encoded = told.pop("data", None), told.pop("data_base64", None)
    attributes = {
        name: text if isinstance(text, str) else _encoder.encode(text).decode() for name, text in told.items()
    }
    payload = (
        msgspec.json.decode(_encoder.encode(encoded), type=bytes) if encoded is not None else _encoder.encode(data)
    )
    return attributes, payload


def _decoded(headers: Sequence[tuple[str, bytes | None]]) -> dict[str, str]:
    return {name.lower(): (value or b"").decode("utf-8", "replace") for name, value in headers}


def _id(attributes: Mapping[str, str], place: str) -> UUID:
    """Its own id; one made of source and id where that is no UUID, or of its place where it has none."""
    identity = attributes.get("id", "")
    try:
        return UUID(identity)
    except ValueError:
        return uuid5(FOREIGN, f"{attributes.get('source', '')} {identity}" if identity else place)


def _plain(key: str) -> str:
    """A key as every database can keep it: what is no UTF-8, and U+0000, are written as escapes."""
    return key.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace").replace("\0", "\\x00")
