"""Convert events to Kafka records and back, by the Kafka protocol binding of CloudEvents 1.0.

The binding has two modes. In binary mode the attributes are Kafka headers, and the value is the data. In structured
mode the value is one JSON object with the attributes and the data. Records are written in binary mode, and read in
both. Every fetched message becomes a Record, whatever its content. The group that reads the record decides about
unreadable data, because the record has the raw bytes. So nothing here raises for data from other programs.
"""

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from operator import methodcaller
from typing import Any, TypeVar
from uuid import UUID, uuid5

import msgspec

from eventbus.backends.base import Unsent
from eventbus.backends.kafka import signing
from eventbus.envelope_texts import sequenced
from eventbus.events import KEY_CHARACTERS_MAX, Record

PREFIX = "ce_"
CONTENT_TYPE = "content-type"  # CloudEvents' datacontenttype has this header of its own
TRACE = "traceparent"  # also without the prefix: where programs that OpenTelemetry instruments look for it
STRUCTURED = "application/cloudevents+json"  # the content type of structured mode
JSON = "application/json"
# Namespace for the ids of records that have no UUID of their own.
FOREIGN = UUID("5b1f6a52-7c1e-4c6e-9d0b-6f6a3f0c7a11")
DIGEST_BYTES = 16  # a key too long for the tables ends with a digest, to differ from others with the same beginning

Headers = list[tuple[str, str | bytes | None]]
T = TypeVar("T")
_encoder = msgspec.json.Encoder()
# If the name of a header is not UTF-8, the client returns a broken list and also sets a Python error. A call by
# `methodcaller` raises the error. A plain `message.headers()` does not, once the interpreter has specialized the call.
# Then the broken list crashes the process (SIGSEGV).
_headers_checked = methodcaller("headers")


def headers_of(row: Unsent, partition: int) -> Headers:
    """Return an event's Kafka headers in binary mode, with the signature of its record in that partition."""
    attributes = msgspec.json.decode(sequenced(row.headers, row.id), type=dict[str, str])
    attributes["datacontenttype"] = content_type = attributes.pop("datacontenttype", JSON)
    signature = signing.sign(f"{row.topic}/{partition}", row.key, _json(attributes), row.payload)
    del attributes["datacontenttype"]
    named = [(PREFIX + name, value.encode()) for name, value in attributes.items()]
    traced = [(TRACE, trace.encode())] if (trace := attributes.get(TRACE)) else []
    return [*named, (PREFIX + signing.ATTRIBUTE, signature.encode()), *traced, (CONTENT_TYPE, content_type.encode())]


def record_of(message: Any, topic: str) -> Record:
    """Return a fetched message as a Record. `topic` is the topic's name without the brokers' prefix.

    The key is converted to text that every database can store. A record without a key gets one from its partition and
    offset, so that no such record waits for another. Without a valid signature the record is not `trusted`
    (eventbus.consuming.trust).
    """
    headers = _decoded(_headers(message))
    attributes, payload = _read(headers, message.value() or b"")
    partition, offset = message.partition(), message.offset()
    at = f"{topic}/{partition}/{offset}/{message.timestamp()[1]}"  # a topic that was made anew has other timestamps
    key = _plain(message.key() or attributes.get("partitionkey", "").encode()) or f"@{partition}/{offset}"
    signature, told = attributes.pop(signing.ATTRIBUTE, ""), _json(attributes)
    return Record(
        topic=topic,
        partition=partition,
        offset=offset,
        key=key,
        type=attributes.get("type", ""),
        event_id=_id(attributes, at),
        payload=payload,
        headers=told,
        trusted=signing.is_signed(signature, f"{topic}/{partition}", key, told, payload),
    )


def _json(attributes: Mapping[str, str]) -> str:
    return _encoder.encode(attributes).decode()


def _read(headers: Mapping[str, str], value: bytes) -> tuple[dict[str, str], bytes]:
    content_type = headers.get(CONTENT_TYPE, "")
    if _media(content_type) == STRUCTURED:
        return _structured(value)
    attributes = {name.removeprefix(PREFIX): text for name, text in headers.items() if name.startswith(PREFIX)}
    if content_type:
        attributes["datacontenttype"] = content_type
    return attributes, value


def _structured(value: bytes) -> tuple[dict[str, str], bytes]:
    """Split the value of a record in structured mode into attributes and data. JSON data keeps its own bytes."""
    told = _decode(value, dict[str, msgspec.Raw])
    if told is None:
        return {}, value
    data, encoded = told.pop("data", None), told.pop("data_base64", None)
    attributes = {name: text for name, raw in told.items() if (text := _attribute(raw)) is not None}
    if encoded is not None:
        content = _decode(encoded, bytes)
    elif data is not None and not _is_json(attributes.get("datacontenttype", JSON)):
        content = _text(data)
    else:
        content = None
    return attributes, bytes(encoded or data or b"") if content is None else content


def _attribute(raw: msgspec.Raw) -> str | None:
    """Return an attribute of structured mode as text, as binary mode has it; None for null."""
    text = _decode(raw, str)
    if text is None:
        text = bytes(raw).decode("utf-8", "replace")
        return None if text == "null" else text
    return text.encode("utf-8", "replace").decode()


def _text(raw: msgspec.Raw) -> bytes | None:
    """Return the content of a JSON string, or None for any other value."""
    text = _decode(raw, str)
    return None if text is None else text.encode("utf-8", "replace")


def _decode(value: bytes | msgspec.Raw, kind: type[T]) -> T | None:
    """Decode JSON. Return None if the value is not JSON of that type."""
    try:
        return msgspec.json.decode(value, type=kind)
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None


def _media(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _is_json(content_type: str) -> bool:
    media = _media(content_type)
    return media.endswith(("/json", "+json"))


def _headers(message: Any) -> Sequence[tuple[str, bytes | None]]:
    """Return the message's headers; none if the name of one is not UTF-8.

    Call it once for a message: a second call would return the client's broken list.
    """
    try:
        return _headers_checked(message) or []
    except (SystemError, UnicodeDecodeError):  # Python raises the first where the client raises the second too late
        return []


def _decoded(headers: Sequence[tuple[str, bytes | None]]) -> dict[str, str]:
    return {name.lower(): (value or b"").decode("utf-8", "replace") for name, value in headers}


def _id(attributes: Mapping[str, str], at: str) -> UUID:
    """Return the record's UUID. Else derive one from its source and id, or from `at` if it has no id."""
    identity = attributes.get("id", "")
    try:
        found = UUID(identity)
    except ValueError:
        found = None
    if found is not None and str(found) == identity.lower():  # 32 digits may be a counter
        return found
    return uuid5(FOREIGN, f"{attributes.get('source', '')} {identity}" if identity else at)


def _plain(key: bytes) -> str:
    """Return a key that every database can keep.

    U+0000 and invalid UTF-8 are escaped. A key longer than the tables' columns is cut, and ends with a digest.
    """
    plain = key.decode("utf-8", "backslashreplace").replace("\0", "\\x00")
    if len(plain) <= KEY_CHARACTERS_MAX:
        return plain
    digest = blake2b(key, digest_size=DIGEST_BYTES).hexdigest()
    return f"{plain[: KEY_CHARACTERS_MAX - len(digest) - 1]}~{digest}"
