"""Publish events: raw INSERTs on the caller's connection, in the caller's transaction."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from eventbus import failpoints
from eventbus.database import outbox_inserts
from eventbus.errors import PublishInReplay, PublishOutsideTransaction
from eventbus.events import EncodedEvent, Event, handled_trace, in_replay
from eventbus.models import Timer
from eventbus.publishing.encoding import encode
from eventbus.tracing import switch
from eventbus.wakeups import published

_gathering: ContextVar[bool] = ContextVar("eventbus_gathering", default=False)


def publish(*events: Event, due: datetime | None = None, unordered: str = "") -> list[UUID]:
    """Publish events in the current transaction: they are handled once it commits, and never if it does not.

    Events of one key are handled in commit order. Many events of one call share an INSERT: on PostgreSQL up to 1,000,
    on SQLite up to 128. Events that handlers publish in one transaction are inserted together at its end. `due` makes
    timers instead: they are published at that time. `unordered` gives up the order per key and takes no lock. Its text
    is the reason why that order does not matter.
    Returns the events' ids. Raises PublishOutsideTransaction, PublishInReplay, NotAnEvent, WrongFieldType,
    EventTooLarge, and ValueError for U+0000 in a text, and for an `unordered` without a text.
    """
    if switch.active is None:
        return _publish(events, due, unordered)
    topics = [getattr(event, "topic", "") for event in events]  # whether each is an event is seen later
    with switch.active.sending(topics, handled_trace()):
        return _publish(events, due, unordered)


def _publish(events: Sequence[Event], due: datetime | None, unordered: str) -> list[UUID]:
    if in_replay():
        raise PublishInReplay(
            "publish() was called in a replay: what follows from an event was told when it was handled first. "
            "A handler that publishes must not be declared replayable"
        )
    connection = connections[DEFAULT_DB_ALIAS]
    _refuse_outside_transaction(connection)
    if unordered != "":
        _refuse_without_reason(unordered)
    sealed = encode(events)
    if due is not None:
        _set_timers(connection.alias, sealed, due)
    elif _gathering.get():
        connection.on_commit(_Gathered(sealed, ordered=not unordered))
    else:
        insert(connection, sealed, ordered=not unordered)
    return [one.event_id for one in sealed]


def _set_timers(alias: str, sealed: Sequence[EncodedEvent], due: datetime) -> None:
    names = ("event_id", "topic", "type", "key", "payload", "headers")
    Timer.objects.using(alias).bulk_create(
        Timer(due=due, **{name: getattr(one, name) for name in names}) for one in sealed
    )
    failpoints.hit("timer.set")


class _Gathered:
    """Events of one `publish` call that are inserted at the end of their transaction.

    The object is registered as an `on_commit` hook that does nothing. Django drops the hooks of a savepoint that is
    rolled back, and with them these events.
    """

    def __init__(self, sealed: Sequence[EncodedEvent], *, ordered: bool) -> None:
        self.sealed, self.ordered = sealed, ordered

    def __call__(self) -> None:
        pass


@contextmanager
def gathered() -> Iterator[None]:
    """Let `publish` only collect events in this context. At its end one INSERT adds those that were not rolled back.

    So the locks of keys are taken last, and in one order. Without this, transactions that publish for many keys in
    different orders would deadlock.
    """
    token = _gathering.set(True)
    try:
        yield
    finally:
        _gathering.reset(token)
    _add_gathered(connections[DEFAULT_DB_ALIAS])


def _add_gathered(connection: BaseDatabaseWrapper) -> None:
    hooks = connection.run_on_commit
    found = [hook for _, hook, *_ in hooks if isinstance(hook, _Gathered)]
    if not found:
        return
    connection.run_on_commit = [entry for entry in hooks if not isinstance(entry[1], _Gathered)]
    for ordered in (True, False):
        if sealed := [one for hook in found if hook.ordered is ordered for one in hook.sealed]:
            insert(connection, sealed, ordered=ordered)


def _refuse_outside_transaction(connection: BaseDatabaseWrapper) -> None:
    """Raise PublishOutsideTransaction unless a transaction is open.

    The transaction that a test case opens does not count, because it would hide a forgotten `atomic`.
    """
    for block in connection.atomic_blocks:
        if not getattr(block, "_from_testcase", False):
            return
    raise PublishOutsideTransaction(
        "publish() was called outside a transaction: put it and the rows it tells of into one transaction.atomic()"
    )


def _refuse_without_reason(unordered: object) -> None:
    """Raise ValueError unless `unordered` is a text.

    Readers of the call must see why no order is needed, and when that changes.
    """
    if not isinstance(unordered, str) or not unordered.strip():
        raise ValueError(
            f"publish(unordered={unordered!r}) gives no reason: say in words why the order of a key's events does not "
            'matter, as in unordered="each event carries all there is to know", or leave it out'
        )


def insert(connection: BaseDatabaseWrapper, sealed: Sequence[EncodedEvent], *, ordered: bool = True) -> None:
    """Add events to the outbox, and wake the relay when the transaction commits."""
    outbox_inserts.insert(connection, sealed, ordered=ordered)
    failpoints.hit("publish")
    connection.on_commit(_wake, robust=True)


def _wake() -> None:
    failpoints.hit("publish.committed")
    published.ring()
