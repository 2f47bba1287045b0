"""Events and their envelope. An event is a fact in the past tense: ids and values, frozen."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from threading import Lock
from typing import Any, ClassVar, TypeVar, dataclass_transform
from uuid import UUID

import msgspec
from django.conf import settings

from eventbus import ids
from eventbus.declaration.keywords import EventMeta, is_declared
from eventbus.declaration.upcasting import Upcasts, upcast
from eventbus.envelope_texts import new_trace, traceparent_of
from eventbus.errors import Permanent
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


class EncodedEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An event on its way into the outbox or the timers."""

    event_id: UUID
    identity: str  # the same, as text
    topic: str
    type: str
    key: str
    payload: bytes
    headers: str
    created_at: datetime


def cause_of_events() -> Record | None:
    """Return the event in hand: it is the cause of what is published now. None outside handlers."""
    return _handled.get()


def handled_trace() -> str:
    """Return the trace of the event in hand; "" outside handlers."""
    cause = _handled.get()
    return "" if cause is None else traceparent_of(cause.headers)


def present_trace() -> str:
    """Return the trace of the event in hand, else of the request; "" outside both. See `tracing.continuing`."""
    span, request = "" if switch.active is None else switch.active.traceparent(), request_context.current()
    return span or handled_trace() or (new_trace(request.hex) if request else "")


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
