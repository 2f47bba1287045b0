"""Events and their envelope. An event is a fact in the past tense: ids and values, frozen."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from threading import Lock
from typing import Any, ClassVar, TypeVar, dataclass_transform
from uuid import UUID

import msgspec
from django.conf import settings

from eventbus import clock, ids
from eventbus.declaration.field_types import check_of, checks, holds_nul, refuse_wrong_types
from eventbus.declaration.keywords import EventMeta, is_declared, refuse_non_events
from eventbus.declaration.upcasting import Upcasts, upcast
from eventbus.envelope_texts import traceparent_of
from eventbus.errors import EventTooLarge, Permanent
from eventbus.tracing import request_context, switch

EVENT_BYTES_MAX = 256 * 1024  # bytes of data; Kafka's default limit is 1 MiB a record, headers included
KEY_CHARACTERS_MAX = 200  # what the index of parked keys holds on every database
KEY_SEPARATOR = ":"
SOURCE = "/mcommerce"  # see `source`; EVENTBUS_SOURCE overrides it


def source() -> str:
    """Return the CloudEvents `source`: the name of one database and its outbox. No two events share source and id."""
    return str(settings.EVENTBUS.get("SOURCE", SOURCE))


def ours() -> str:
    """Return the `source` attribute as JSON text. Only the headers of events of this site contain it."""
    return f'"source":"{source()}"'


@dataclass_transform(kw_only_default=True, frozen_default=True, field_specifiers=(msgspec.field,))
class Event(msgspec.Struct, metaclass=EventMeta, frozen=True, kw_only=True):
    """Base of all events. Fields are only ever added, with a default; unknown ones are ignored when read.

    Each event names itself in its class line:
    `class OrderPaid(Event, name="order.paid", topic="orders", key="order_id")`.

    `name` is its type on the wire, which stays when the class is renamed or moved; `version` (1) is a part of it.
    `topic` is its log. `key` is a field, or a tuple of fields whose values are joined by ":": order is kept per key.
    `upcasts` reads older versions: by version, a function from its data to those of the next one.
    `unsigned_from` are the sources of other programs that may publish it without our signature (consuming.trust).
    """

    wire_name: ClassVar[str]
    wire_version: ClassVar[int]
    topic: ClassVar[str]
    key_fields: ClassVar[tuple[str, ...]]
    unsigned_from: ClassVar[tuple[str, ...]]
    upcasts: ClassVar[Upcasts]

    @classmethod
    def wire_type(cls) -> str:
        """Return the type on the wire, such as `order.placed.v1`."""
        return f"{cls.wire_name}.v{cls.wire_version}"

    def key(self) -> str:
        """Return its key, which decides its partition and its order."""
        names = self.key_fields
        if len(names) == 1:
            return _text(getattr(self, names[0]))
        return KEY_SEPARATOR.join([_text(getattr(self, name)) for name in names])


def _text(value: Any) -> str:
    return ids.text(value) if type(value) is UUID else str(value)


class Record(msgspec.Struct, frozen=True, kw_only=True, gc=False):  # gc=False: no field can refer back to the record
    """A record of a backend: topic, partition and offset, and an event's bytes with its CloudEvents attributes."""

    topic: str
    partition: int
    offset: int
    key: str
    type: str
    event_id: UUID
    payload: bytes
    headers: str  # JSON object of the CloudEvents attributes
    trusted: bool = True  # its source is verified, or may publish its type unsigned (consuming.trust)

    @property
    def ours(self) -> bool:
        """True if this site published it. Other records have no outbox row, so the delivery audit leaves them out."""
        return self.trusted and self.claims_ours

    @property
    def claims_ours(self) -> bool:
        """True if its headers say that this site published it. Headers can be forged."""
        return ours() in self.headers

    def attributes(self) -> dict[str, str]:
        """Return its CloudEvents attributes by name."""
        return msgspec.json.decode(self.headers, type=dict[str, str])


def count_ours(records: Iterable[Record]) -> int:
    """Count the records that this site published. It reads the site's source only once."""
    mark = ours()
    return sum(record.trusted and mark in record.headers for record in records)


class Undecodable(Permanent):
    """A record's bytes are not the event that its type names."""


_handled: ContextVar[Record | None] = ContextVar("eventbus_handled", default=None)
_replays: ContextVar[bool] = ContextVar("eventbus_replays", default=False)
_encoder = msgspec.json.Encoder()


class EncodedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event on its way into the outbox or the timers."""

    event_id: UUID
    identity: str  # the same, as text
    topic: str
    type: str
    key: str
    payload: bytes
    headers: str
    created_at: datetime


def encode(events: Sequence[Event]) -> list[EncodedEvent]:
    """Encode events with their envelopes. All get the same time, and the same event as their cause.

    Raises NotAnEvent, WrongFieldType, EventTooLarge, and ValueError for U+0000 or an unusable key.
    """
    if not events:
        return []
    drawn = ids.uuid7s(len(events))
    identities = ids.texts(drawn)
    moment = _moment(identities[0].replace("-", ""))
    try:
        return [
            _encode(event, event_id, identity, moment)
            for event, event_id, identity in zip(events, drawn, identities, strict=True)
        ]
    except (AttributeError, TypeError):
        refuse_non_events(events)  # only now, since the check of each event would take as long as that of its fields
        raise


class _Moment(msgspec.Struct, frozen=True):
    """The values that all events of one call share; the texts are parts of a JSON object."""

    now: datetime
    correlation: str  # of the cause, as JSON; "" if each event begins its own
    rest: str  # the attributes that all events of the call have


def _moment(first: str) -> _Moment:
    """Return the values that these events share. Without a request, `first` names a new trace.

    `first` is the first event's id in hexadecimal. A UUID version 7 is unique, and ends with the random bytes that W3C
    Trace Context wants in a trace's id.
    """
    cause, request = _handled.get(), request_context.current()
    now, span = clock.now(), "" if switch.active is None else switch.active.traceparent()
    each = f'{ours()},"time":"{now.isoformat()}","datacontenttype":"application/json"'
    if cause is None:
        begun = first if request is None else request.hex
        correlation = "" if request is None else f'"{ids.text(request)}"'
        return _Moment(now, correlation, f'{each},"traceparent":"{span or _new_trace(begun)}"')
    before = cause.attributes()
    trace = span or before.get("traceparent") or _new_trace(first)
    rest = f'{each},"traceparent":{_json(trace)},"causationid":"{cause.event_id}"'
    correlation = before.get("correlationid", "")
    return _Moment(now, correlation and _json(correlation), rest)


def _new_trace(begun: str) -> str:
    return f"00-{begun}-{begun[16:]}-01"


def handled_trace() -> str:
    """Return the trace of the event in hand; "" outside handlers."""
    cause = _handled.get()
    return "" if cause is None else traceparent_of(cause.headers)


def present_trace() -> str:
    """Return the trace of the event in hand, else of the request; "" outside both. See `tracing.continuing`."""
    span, request = "" if switch.active is None else switch.active.traceparent(), request_context.current()
    return span or handled_trace() or (_new_trace(request.hex) if request else "")


def _encode(event: Event, event_id: UUID, identity: str, moment: _Moment) -> EncodedEvent:
    fits = checks.get(type(event)) or check_of(type(event))
    if not fits(event):
        refuse_wrong_types(event)
    payload = _encoder.encode(event)
    if len(payload) > EVENT_BYTES_MAX:
        raise EventTooLarge(f"{event.wire_name} has {len(payload)} bytes of data; at most {EVENT_BYTES_MAX}")
    key = event.key()
    if b"\\u0000" in payload and holds_nul(payload):
        raise ValueError(f"{event.wire_name} holds U+0000, which not every database can keep")
    if not key or len(key) > KEY_CHARACTERS_MAX or "\0" in key:
        raise ValueError(f"{event.wire_name} has an unusable key {key[:50]!r}: 1 to {KEY_CHARACTERS_MAX} characters")
    wire_type = event.wire_type()
    return EncodedEvent(
        event_id=event_id,
        identity=identity,
        topic=event.topic,
        type=wire_type,
        key=key,
        payload=payload,
        headers=_envelope(identity, wire_type, key, moment),
        created_at=moment.now,
    )


def _envelope(identity: str, wire_type: str, key: str, moment: _Moment) -> str:
    """Return CloudEvents 1.0 attributes as JSON, with the extensions partitioning, correlation and distributed tracing.

    Built by hand, in half the time of an encoder. Only the key and values from outside can need JSON's escapes.
    """
    subject = _json(key)
    correlation = moment.correlation or f'"{identity}"'
    return (
        f'{{"specversion":"1.0","id":"{identity}","type":"{wire_type}","subject":{subject},"partitionkey":{subject},'
        f'"correlationid":{correlation},{moment.rest}}}'
    )


def _json(text: str) -> str:
    return _encoder.encode(text).decode()


E = TypeVar("E", bound=Event)
T = TypeVar("T")
_decoders: dict[type[Event], msgspec.json.Decoder[Any]] = {}
_making = Lock()


def decode(payload: bytes, event_type: type[E]) -> E:
    """Decode a payload as an event of this class. Raises the errors of msgspec if it is none."""
    decoder = _decoders.get(event_type) or _decoder(event_type)
    return decoder.decode(payload)  # type: ignore[no-any-return]


def _decoder(event_type: type[Event]) -> msgspec.json.Decoder[Any]:
    """Return the decoder of a type. Only one thread at a time makes one: msgspec learns a type's fields on first use.
    If another thread decodes the type meanwhile, the process dies (SIGSEGV, msgspec 0.22)."""
    with _making:
        return _decoders.setdefault(event_type, msgspec.json.Decoder(event_type))


def open_event(record: Record, event_type: type[E]) -> E:
    """Return the event in a record. Raises Undecodable if the bytes are not an event of this class."""
    try:
        payload = upcast(record.payload, record.type, event_type) if event_type.upcasts else record.payload
        return decode(payload, event_type)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise Undecodable(f"{record.type} at {record.topic}/{record.partition}/{record.offset}: {error}") from error


def with_causation(record: Record, call: Callable[..., T], *given: Any) -> T:
    """Run `call` with this record as the cause of its events. A context manager would take twice as long."""
    token = _handled.set(record)
    try:
        return call(*given)
    finally:
        _handled.reset(token)


@contextmanager
def replaying() -> Iterator[None]:
    """Make `publish` refuse while the context is open."""
    token = _replays.set(True)
    try:
        yield
    finally:
        _replays.reset(token)


def in_replay() -> bool:
    """Return True inside a replay."""
    return _replays.get()


def correlation_id() -> str:
    """Return the correlation id of the event that is being handled, else of the request; "" outside both."""
    if cause := _handled.get():
        return cause.attributes().get("correlationid", "")
    request = request_context.current()
    return "" if request is None else ids.text(request)


def declared_events(base: type[Event] = Event) -> list[type[Event]]:
    """Return every event class below `base` that this process has imported."""
    found = [one for one in base.__subclasses__() if is_declared(one)]
    return found + [below for one in found for below in declared_events(one)]
