"""Record and look up what a group has handled: rows are written in the handler's own transaction."""

from collections.abc import Iterable, Sequence
from uuid import UUID

from django.db import DEFAULT_DB_ALIAS, connections

from eventbus import clock
from eventbus.database import sql

LIVE = 0  # the value of `replay` in the rows of live handling
_SET_ASIDE = """
    SELECT event_id FROM eventbus_parkedevent WHERE "group" = %b AND {among}
    UNION ALL SELECT event_id FROM eventbus_deadletter WHERE "group" = %b AND {among}
"""
_KNOWN = 'SELECT event_id FROM eventbus_inbox WHERE "group" = %b AND replay = %b AND {among} UNION ALL' + _SET_ASIDE
_COLUMNS = '"group", event_id, replay, handled_at'
_NOTE = f"INSERT INTO eventbus_inbox ({_COLUMNS}) SELECT %b, event_id, %b, %b FROM {{events}}"
_EVENTS = {"postgresql": "unnest(%b::uuid[]) AS event_id", "sqlite": "(SELECT value AS event_id FROM json_each(%b))"}


def known(group: str, event_ids: Sequence[UUID], *, replay: int = LIVE) -> set[UUID]:
    """Return those of these ids that the group has in its inbox for this run, or has parked or dead."""
    ids = sql.ids(connections[DEFAULT_DB_ALIAS], event_ids)
    return _found(_KNOWN, [group, replay, ids, group, ids, group, ids])


def set_aside(group: str, event_ids: Iterable[UUID]) -> set[UUID]:
    """Return those of these ids that the group has parked or dead."""
    ids = sql.ids(connections[DEFAULT_DB_ALIAS], event_ids)
    return _found(_SET_ASIDE, [group, ids, group, ids])


def _found(statement: str, parameters: Sequence[object]) -> set[UUID]:
    connection = connections[DEFAULT_DB_ALIAS]
    asked = statement.format(among=sql.is_among(connection, "event_id"))
    return set(sql.uuids_of([event_id for (event_id,) in sql.fetch(connection, asked, parameters)]))


def note(group: str, event_ids: Iterable[UUID], *, replay: int = LIVE) -> None:
    """Mark events as handled. If one is marked already, the INSERT fails and rolls the transaction back."""
    _insert(group, event_ids, replay, sql.time_value(connections[DEFAULT_DB_ALIAS], clock.now()))


def ignore(group: str, event_ids: Iterable[UUID]) -> None:
    """Mark events as ignored: the group does not handle them. Fails like `note`."""
    _insert(group, event_ids, LIVE, None)


def _insert(group: str, event_ids: Iterable[UUID], replay: int, handled_at: object) -> None:
    connection = connections[DEFAULT_DB_ALIAS]  # the connection itself: the proxy looks it up at each use
    statement = _NOTE.format(events=_EVENTS[connection.vendor])
    sql.execute(connection, statement, [group, replay, handled_at, sql.ids(connection, event_ids)])
