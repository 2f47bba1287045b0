"""What was published and what was handled, in a record of the tests' own, and what must be true of the two.

It stands apart from the bus's audit. The database itself writes down what is published (a trigger, so in the
publisher's transaction), and each handler what it has handled, in its own: what was rolled back leaves nothing. Every
published event is handled once by each handler of its type. Each group handles a key's events in the order of their
commits. The exceptions are what operators did, by name: see `Told`.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from eventbus import events
from eventbus.registry import Group, Handler

TABLES = """
CREATE TABLE history_published (place {serial}, event_id TEXT, topic TEXT, kind TEXT, key TEXT);
CREATE INDEX history_published_event ON history_published (event_id);
CREATE TABLE history_wanted (team TEXT, handler TEXT, kind TEXT);
CREATE TABLE history_handled
    (place {serial}, team TEXT, handler TEXT, event_id TEXT, topic TEXT, kind TEXT, key TEXT, replayed INTEGER);
CREATE INDEX history_handled_event ON history_handled (event_id)
"""
NOTES = """
    INSERT INTO history_published (event_id, topic, kind, key)
    VALUES (replace(CAST(NEW.event_id AS TEXT), '-', ''), NEW.topic, NEW.type, NEW.key);
"""
SQLITE = f"CREATE TRIGGER history_notes AFTER INSERT ON eventbus_outbox BEGIN {NOTES} END"
POSTGRESQL = (
    f"CREATE FUNCTION history_note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {NOTES} RETURN NEW; END $$",
    "CREATE TRIGGER history_notes AFTER INSERT ON eventbus_outbox FOR EACH ROW EXECUTE FUNCTION history_note()",
)
HANDLED = """
INSERT INTO history_handled (team, handler, event_id, topic, kind, key, replayed) VALUES (%s, %s, %s, %s, %s, %s, %s)
"""
# Of each group and key: what was handled, where it stands among what was published, and the last before it. The order
# holds across a group's handlers: most keys have one event of a type.
WRONG = """
SELECT team, handler, kind, key, event_id, told, latest FROM (
    SELECT h.*, p.place AS told, max(p.place) OVER (
        PARTITION BY h.team, h.topic, h.key ORDER BY h.place ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ) AS latest
    FROM history_handled AS h LEFT JOIN history_published AS p
        ON p.event_id = h.event_id AND p.topic = h.topic AND p.kind = h.kind AND p.key = h.key
    WHERE h.replayed = 0
) AS seen WHERE told IS NULL OR told <= latest ORDER BY place
"""
TWICE = """
SELECT team, handler, kind, key, event_id, count(*) FROM history_handled WHERE replayed = 0
GROUP BY team, handler, kind, key, event_id HAVING count(*) > 1
"""
UNHANDLED = """
SELECT w.team, w.handler, p.topic, p.kind, p.key, p.event_id
FROM history_published AS p JOIN history_wanted AS w ON w.kind = p.kind
WHERE NOT EXISTS (
    SELECT 1 FROM history_handled AS h
    WHERE h.event_id = p.event_id AND h.team = w.team AND h.handler = w.handler AND h.replayed = 0
) ORDER BY p.place
"""

Event = tuple[str, str]  # a group's name, and an event's id


class Unhandled(NamedTuple):
    """An event that a handler should have handled, and has not."""

    team: str
    handler: str
    topic: str
    kind: str
    key: str
    event_id: str

    @property
    def event(self) -> Event:
        return self.team, self.event_id


@dataclass
class Told:
    """What operators did with events of groups, by name: let go, or had handled out of their turn."""

    let_go: set[Event] = field(default_factory=set)
    late: set[Event] = field(default_factory=set)
    withdrawn: set[str] = field(default_factory=set)  # events that nobody is told of

    def discard(self, found: Iterable[Event]) -> None:
        """These are handled no more, unless somebody thinks again."""
        self.let_go |= set(found)

    def copy(self) -> "Told":
        """As it is now."""
        return Told(set(self.let_go), set(self.late), set(self.withdrawn))

    def bring_back(self, found: Iterable[Event]) -> None:
        """These are handled after all, and later ones of their keys may have been handled before."""
        back = set(found)
        self.let_go -= back
        self.late |= back


NOBODY = Told()


def published() -> Counter[tuple[str, str]]:
    """How many events of a type a key has had, by both; an outbox may have let go of some."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT kind, key, count(DISTINCT event_id) FROM history_published GROUP BY kind, key")
        return Counter({(kind, key): count for kind, key, count in cursor.fetchall()})


def lay_tables(groups: Mapping[str, Group]) -> None:
    """Begin to write down: from now on what is published, and what `noting` groups handle."""
    on_postgresql = connection.vendor == "postgresql"
    serial = "BIGSERIAL PRIMARY KEY" if on_postgresql else "INTEGER PRIMARY KEY AUTOINCREMENT"
    with connection.cursor() as cursor:
        trigger = POSTGRESQL if on_postgresql else (SQLITE,)
        for statement in (*TABLES.format(serial=serial).split(";"), *trigger):
            cursor.execute(statement)
        wanted = [
            [group.name, _name(handler), kind]
            for group in groups.values()
            for kind, found in group.handlers.items()
            for handler in found
        ]
        cursor.executemany("INSERT INTO history_wanted (team, handler, kind) VALUES (%s, %s, %s)", wanted)


def begin_anew() -> None:
    """Nobody need handle what was published so far."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM history_published")


def noting(group: Group, before: Callable[[Handler], None] = lambda handler: None) -> Group:
    """The group, whose handlers write down what they handle, each in its own transaction. `before` is called first."""
    return Group(group.name, {kind: [_noting(one, before) for one in found] for kind, found in group.handlers.items()})


def _noting(handler: Handler, before: Callable[[Handler], None]) -> Handler:
    def preceded(call: Callable[..., Any]) -> Callable[..., Any]:
        def look_and_call(*given: Any, **named: Any) -> Any:
            before(handler)
            return call(*given, **named)

        return look_and_call

    def noted(call: Callable[..., Any]) -> Callable[..., Any]:
        def note_and_call(*given: Any, **named: Any) -> Any:
            _note(handler)
            return call(*given, **named)

        return note_and_call

    if handler.record is not None:  # an effect has no transaction; what records its answer has
        return replace(handler, call=preceded(handler.call), record=noted(handler.record))
    return replace(handler, call=preceded(noted(handler.call)))


def _note(handler: Handler) -> None:
    record = events._handled.get()
    assert record is not None
    event = [hex_of(record.event_id), record.topic, record.type, record.key]
    with connection.cursor() as cursor:
        cursor.execute(HANDLED, [handler.group, _name(handler), *event, int(events.in_replay())])


def _name(handler: Handler) -> str:
    return f"{handler.call.__module__}.{handler.call.__qualname__}"


def hex_of(event_id: UUID) -> str:
    """As the record has it, on every database."""
    return event_id.hex


# --- what must be true ------------------------------------------------------------------------------------------------


def problems(told: Told = NOBODY) -> Iterator[str]:
    """What was handled again, out of its turn, or never published, at any moment."""
    for team, _, kind, key, event_id, place, latest in _rows(WRONG):
        if place is None:
            yield f"{team} handled {kind} of {key}, which nobody published so ({event_id})"
        elif place < latest and (team, event_id) not in told.late:
            yield f"{team} handled {kind} of {key} after what was published later ({event_id})"


def twice() -> list[str]:
    """What was handled more than once."""
    return [
        f"{team} handled {kind} of {key} {times} times ({id} by {by})"
        for team, by, kind, key, id, times in _rows(TWICE)
    ]


def problems_at_rest(told: Told = NOBODY) -> Iterator[str]:
    """And what was never handled, or twice, once nothing more is to come."""
    yield from twice()
    yield from problems(told)
    for one in unhandled():
        if one.event not in told.let_go and one.event_id not in told.withdrawn:
            yield f"{one.team} never handled {one.kind} of {one.key} ({one.event_id})"


def unhandled() -> list[Unhandled]:
    """What was published, and a handler of its type has not handled yet; the oldest first."""
    return [Unhandled(*row) for row in _rows(UNHANDLED)]


def _rows(question: str) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(question)
        return list(cursor.fetchall())
