"""The registry of handlers. `handles` and `effect` fill it when an app's `handlers.py` is imported."""

import random
import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import partial
from inspect import iscoroutinefunction
from typing import Any, Literal, TypeVar

from django.apps import apps

from eventbus.declaration.keywords import (
    EventMeta,
    refuse_wrong_count,
    refuse_wrong_group,
    refuse_wrong_record,
    refuse_wrong_retries,
    unfit,
)
from eventbus.declaration.upcasting import readable_types
from eventbus.errors import Permanent, ServiceUnavailable, WrongDeclaration
from eventbus.events import Event, Record, open_event

BATCH_EVENTS = 200  # events a transaction: commits and round trips cost most, and 200 events hide that
ATTEMPTS_MAX = 8  # with the backoff below, a minute in the mean and two at most: longer than most restarts
# Seconds that a call may take. Other keys of its partition wait meanwhile, and on SQLite every writer. Most calls take
# milliseconds, a request to a provider eight seconds at most. A slow mail server takes longest.
HANDLER_SECONDS = 30.0
BACKOFF_SECONDS = 1.0  # the first retry comes within this time
BACKOFF_SECONDS_MAX = 300.0  # no retry waits longer: after a repair, an operator wants to see it work

OnDead = Literal["park", "skip"]
OnUnknownOutcome = Literal["retry", "never"]
Start = Literal["latest", "earliest"]
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Handler:
    """A function for one event type, and the policy for its failures.

    It runs in a transaction and touches only the database. An event whose function raises is tried again, `attempts`
    times in all. `backoff`: the upper limits in seconds of the first delay and of any delay. The limit doubles with
    each attempt, and the delay is random below it (full jitter). `Permanent` and errors in `permanent` are not retried.
    After the last attempt the event is a dead letter, and its key waits for an operator unless `on_dead="skip"`.
    `replayable=True` is for projections that compare versions: `eventbus replay` may give them old events again.
    `batch=1` is for handlers that write rows which do not belong to their event's key. A call that takes longer than
    `seconds` is rolled back, and is a failure if it keeps doing so. A call that hangs ends with its process.

    `start="earliest"` lets a new group begin with the oldest event that is kept, not with those published from then on.

    An effect is called outside any transaction as `(event, idempotency_key=...)`. Then `record(event, answer)`, if
    there is one, runs in the transaction that marks the event handled. A process may die in between. Then
    `on_unknown_outcome="retry"` calls again with the same key, and "never" makes a dead letter.
    """

    event_type: type[Event]
    call: Callable[..., Any]
    group: str
    attempts: int
    backoff: tuple[float, float]
    permanent: tuple[type[Exception], ...]
    on_dead: OnDead
    seconds: float
    start: Start = "latest"
    batch: int = BATCH_EVENTS
    replayable: bool = False
    effect: bool = False
    record: Callable[..., None] | None = None
    on_unknown_outcome: OnUnknownOutcome | None = None  # only for an effect

    def __post_init__(self) -> None:
        refuse_wrong_group(self.group)
        _refuse_wrong_function(self)
        refuse_wrong_retries(self.attempts, self.backoff, self.permanent)
        refuse_wrong_count("batch", self.batch, "Write the most events in one transaction: batch=200")
        refuse_wrong_record(self.record)
        if self.on_dead not in {"park", "skip"}:
            raise WrongDeclaration(f"on_dead is {self.on_dead!r}. Write 'park' or 'skip'")
        if self.start not in {"latest", "earliest"}:
            raise WrongDeclaration(f"start is {self.start!r}. Write 'latest' or 'earliest'")
        if not 0 < self.seconds < float("inf"):
            raise WrongDeclaration(f"seconds is {self.seconds!r}. Say how many seconds a call may take at most")
        if self.effect and self.on_unknown_outcome not in {"retry", "never"}:
            raise WrongDeclaration(f"on_unknown_outcome is {self.on_unknown_outcome!r}. Write 'retry' or 'never'")

    def backoff_seconds(self, attempt: int) -> float:
        """Return the delay after so many failed attempts: exponential with full jitter, so that keys spread out."""
        first, longest = self.backoff
        return random.uniform(0, min(longest, first * 2 ** min(attempt - 1, 30)))

    def gives_up(self, error: BaseException, attempts: int) -> bool:
        """Return True if the event gets no further attempt after this error and so many attempts."""
        if isinstance(error, ServiceUnavailable) and attempts < self.attempts:
            return False
        return isinstance(error, (Permanent, *self.permanent)) or attempts >= self.attempts


@dataclass
class Group:
    """A consumer group: its handlers by wire type."""

    name: str
    handlers: dict[str, list[Handler]] = field(default_factory=dict)

    @property
    def topics(self) -> list[str]:
        """The topics that it reads, sorted."""
        return sorted({handler.event_type.topic for handler in self.all()})

    @property
    def start(self) -> Start:
        """The event at which it begins in a topic that is new to it: the latest or the earliest.

        A system check refuses a group whose handlers declare both.
        """
        return self.all()[0].start

    @property
    def batch(self) -> int:
        """The most events that one of its transactions holds: its handler with the smallest batch decides."""
        return min(handler.batch for handler in self.all())

    @property
    def effects(self) -> bool:
        """True for a group of effects; a system check refuses a group that mixes them with other handlers."""
        return any(handler.effect for handler in self.all())

    @property
    def seconds(self) -> float:
        """The longest time that a call of one of its handlers may take."""
        return max(handler.seconds for handler in self.all())

    def add(self, handler: Handler) -> None:
        """Let a handler run for its type, after those that were added before."""
        for wire_type in readable_types(handler.event_type):
            self.handlers.setdefault(wire_type, []).append(handler)

    def all(self) -> list[Handler]:
        """Return all its handlers, each once, also one that reads several versions of its event."""
        found = {id(handler): handler for handlers in self.handlers.values() for handler in handlers}
        return list(found.values())

    def of(self, record: Record) -> list[Handler]:
        """Return the handlers of a record; none if its type is unknown here, or it is not trusted (consuming.trust)."""
        return self.handlers.get(record.type, []) if record.trusted else []

    def type_of(self, record: Record) -> type[Event] | None:
        """Return the event class of a record, if a handler names its type."""
        return next((handler.event_type for handler in self.handlers.get(record.type, [])), None)

    def seconds_for(self, record: Record) -> float:
        """Return the longest time that all its handlers of a record may take."""
        return sum(handler.seconds for handler in self.of(record))

    def policy(self, record: Record) -> Handler:
        """Return the handler whose limits hold for a record's key: the first that was declared."""
        return self.of(record)[0]

    def call(self, record: Record) -> None:
        """Run its handlers of a record, in the caller's transaction. Raises Undecodable, and the handlers' errors."""
        for handler in self.of(record):
            handler.call(open_event(record, handler.event_type))


groups: dict[str, Group] = {}
declared_at_start: set[str] = set()  # the files that declared handlers before Django had started


def topics() -> list[str]:
    """Return every topic that some group reads, sorted."""
    return sorted({topic for group in groups.values() for topic in group.topics})


def handles(
    *event_types: type[Event],
    group: str,
    batch: int = BATCH_EVENTS,
    attempts: int = ATTEMPTS_MAX,
    backoff: tuple[float, float] = (BACKOFF_SECONDS, BACKOFF_SECONDS_MAX),
    permanent: tuple[type[Exception], ...] = (),
    on_dead: OnDead = "park",
    replayable: bool = False,
    seconds: float = HANDLER_SECONDS,
    start: Start = "latest",
) -> Callable[[F], F]:
    """Declare a durable handler of these events in a consumer group. `Handler` documents the parameters."""
    handler = partial(
        Handler,
        group=group,
        attempts=attempts,
        backoff=backoff,
        permanent=permanent,
        on_dead=on_dead,
        seconds=seconds,
        start=start,
        batch=batch,
        replayable=replayable,
    )
    return _declaration(event_types, handler)


def effect(
    *event_types: type[Event],
    group: str,
    on_unknown_outcome: OnUnknownOutcome,
    record: Callable[[Any, Any], None] | None = None,
    attempts: int = ATTEMPTS_MAX,
    backoff: tuple[float, float] = (BACKOFF_SECONDS, BACKOFF_SECONDS_MAX),
    permanent: tuple[type[Exception], ...] = (),
    on_dead: OnDead = "park",
    seconds: float = HANDLER_SECONDS,
    start: Start = "latest",
) -> Callable[[F], F]:
    """Declare a handler for work outside the database: a provider, mail, a webhook. Its group holds effects alone.

    `Handler` documents the parameters. Without `record` the event is marked handled after the call.
    """
    handler = partial(
        Handler,
        group=group,
        attempts=attempts,
        backoff=backoff,
        permanent=permanent,
        on_dead=on_dead,
        seconds=seconds,
        start=start,
        effect=True,
        record=record,
        on_unknown_outcome=on_unknown_outcome,
    )
    return _declaration(event_types, handler)


def _declaration(event_types: Collection[type[Event]], handler: Callable[..., Handler]) -> Callable[[F], F]:
    """Return the decorator that adds a function to the registry, for each of these events."""
    if not event_types or not all(isinstance(one, EventMeta) for one in event_types):
        found = ", ".join(map(str, event_types)) or "nothing"
        raise WrongDeclaration(f'A handler names its events first, not {found}. Write @handles(OrderPaid, group="...")')

    def declare(call: F) -> F:
        if not apps.ready:
            declared_at_start.add(sys._getframe(1).f_code.co_filename)
        for event_type in event_types:
            made = handler(event_type=event_type, call=call)
            groups.setdefault(made.group, Group(made.group)).add(made)
        return call

    return declare


def _refuse_wrong_function(handler: Handler) -> None:
    """Raise WrongDeclaration for a function that the bus could not call, or that would run only if awaited."""
    name, kind = getattr(handler.call, "__name__", repr(handler.call)), handler.event_type.__name__
    given = {"idempotency_key": ""} if handler.effect else {}
    line = f"Write: def {name}(event: {kind}{', *, idempotency_key: str' if given else ''})"
    if iscoroutinefunction(handler.call):
        raise WrongDeclaration(f"{name} is async, and the bus awaits nothing. {line}")
    if error := unfit(handler.call, handler.event_type, **given):
        raise WrongDeclaration(f"{name} has other parameters than the bus passes ({error}). {line}")
