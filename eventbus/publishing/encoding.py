"""Encode events with their envelopes. What events share is computed once: for each class, and for each call."""

from collections.abc import Callable, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

import msgspec

from eventbus import clock, ids
from eventbus.declaration.field_types import Check, check_of, holds_nul, refuse_wrong_types
from eventbus.declaration.keywords import refuse_non_events
from eventbus.envelope_texts import new_trace
from eventbus.errors import EventTooLarge
from eventbus.events import EVENT_BYTES_MAX, KEY_CHARACTERS_MAX, EncodedEvent, Event, cause_of_events, ours
from eventbus.tracing import request_context, switch

_encode_json = msgspec.json.Encoder().encode


class Kind(msgspec.Struct, frozen=True):
    """The values that all events of one class share."""

    fits: Check
    topic: str
    type: str  # on the wire
    key_of: Callable[[Any], Any]


class _Moment(msgspec.Struct, frozen=True):
    """The values that all events of one call share; the texts are parts of a JSON object."""

    now: datetime
    correlation: str  # of the cause, as JSON; "" if each event begins its own
    rest: str  # the attributes that all events of the call have


kinds: dict[type, Kind] = {}


def encode(events: Sequence[Event]) -> list[EncodedEvent]:
    """Encode events with their envelopes. All get the same time, and the same event as their cause.

    Raises NotAnEvent, WrongFieldType, EventTooLarge, and ValueError for U+0000 or an unusable key.
    """
    if not events:
        return []
    drawn = ids.uuid7s(len(events))
    identities = ids.texts(drawn)
    moment = _moment(identities[0].replace("-", ""))
    return [
        _encode(event, event_id, identity, moment)
        for event, event_id, identity in zip(events, drawn, identities, strict=True)
    ]


def _encode(event: Event, event_id: UUID, identity: str, moment: _Moment) -> EncodedEvent:
    kind = kinds.get(type(event)) or _kind_of(event)
    if not kind.fits(event):
        refuse_wrong_types(event)
    payload = _encode_json(event)
    key, subject = _texts(kind.key_of(event))
    if len(payload) > EVENT_BYTES_MAX or b"\\u0000" in payload or not 0 < len(key) <= KEY_CHARACTERS_MAX:
        _refuse_what_no_row_holds(event, payload, key)
    correlation = moment.correlation or f'"{identity}"'
    return EncodedEvent(
        event_id=event_id,
        identity=identity,
        topic=kind.topic,
        type=kind.type,
        key=key,
        payload=payload,
        # CloudEvents 1.0 with the extensions partitioning, correlation and distributed tracing. Built by hand, in half
        # the time of an encoder. Only the key and values from outside can need JSON's escapes.
        headers=f'{{"specversion":"1.0","id":"{identity}","type":"{kind.type}","subject":{subject},'
        f'"partitionkey":{subject},"correlationid":{correlation},{moment.rest}}}',
        created_at=moment.now,
    )


def _texts(value: Any) -> tuple[str, str]:
    """Return a key as text, and as JSON."""
    if type(value) is UUID:  # the encoder takes a quarter of the time of str
        subject = _json(value)
        return subject[1:-1], subject
    key = str(value)
    return key, _json(key)


def _refuse_what_no_row_holds(event: Event, payload: bytes, key: str) -> None:
    """Raise EventTooLarge, or ValueError for U+0000 or an unusable key."""
    if len(payload) > EVENT_BYTES_MAX:
        raise EventTooLarge(f"{event.wire_name} has {len(payload)} bytes of data; at most {EVENT_BYTES_MAX}")
    if holds_nul(payload):
        raise ValueError(f"{event.wire_name} holds U+0000, which not every database can keep")
    if not 0 < len(key) <= KEY_CHARACTERS_MAX:
        raise ValueError(f"{event.wire_name} has an unusable key {key[:50]!r}: 1 to {KEY_CHARACTERS_MAX} characters")


def _kind_of(event: Event) -> Kind:
    """Return the values that events of this class share. Raises NotAnEvent for anything else."""
    refuse_non_events([event])
    made = type(event)
    key_of = attrgetter(made.key_fields[0]) if len(made.key_fields) == 1 else made.key
    return kinds.setdefault(made, Kind(check_of(made), made.topic, made.wire_type(), key_of))


def _moment(first: str) -> _Moment:
    """Return the envelope values that all events of one call of `encode` share: time, source, cause and trace.

    `first` is the first event's id in hexadecimal. It becomes the trace id if no span, cause or request gives one. It
    is unique and ends with random bytes, as W3C Trace Context asks of a trace id.
    """
    cause, request = cause_of_events(), request_context.current()
    now, span = clock.now(), "" if switch.active is None else switch.active.traceparent()
    each = f'{ours()},"time":"{now.isoformat()}","datacontenttype":"application/json"'
    if cause is None:
        begun = first if request is None else request.hex
        correlation = "" if request is None else f'"{ids.text(request)}"'
        return _Moment(now, correlation, f'{each},"traceparent":"{span or new_trace(begun)}"')
    before = cause.attributes()
    trace = span or before.get("traceparent") or new_trace(first)
    rest = f'{each},"traceparent":{_json(trace)},"causationid":"{cause.event_id}"'
    correlation = before.get("correlationid", "")
    return _Moment(now, correlation and _json(correlation), rest)


def _json(value: str | UUID) -> str:
    return _encode_json(value).decode()
