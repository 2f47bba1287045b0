"""The live ledger: every event that was published for a group lies in exactly one place, and the counters agree.

Each event of a group's topics, from where the group began, is handled, ignored, skipped, discarded, dead, parked or
pending. The counters (`Progress`) and the rows (outbox, inbox, parked events, dead letters) are written in the same
transactions, so in one snapshot of the database they say the same; where they do not, something is wrong, and it is
named. What is ignored has no row of its own: of what lies nowhere, so many were ignored, and the rest is lost.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from enum import IntFlag
from uuid import UUID

import msgspec
from django.db import connection, transaction
from django.db.models import Count, Exists, OuterRef, Q

from eventbus import clock, registry
from eventbus.early import Early, ignored_once, not_early, not_twice
from eventbus.events import Undecodable, ours
from eventbus.inbox import LIVE
from eventbus.models import DeadLetter, InboxRow, OutboxRow, ParkedEvent, Progress

EXAMPLES_MAX = 3  # event ids that are named for a violation: enough to begin looking


class Place(IntFlag):
    """Where an event lies for a group. PASSED is no place: the group's position is beyond it."""

    PASSED = 1
    HANDLED = 2
    PARKED = 4
    DEAD = 8
    SKIPPED = 16
    DISCARDED = 32


NOWHERE = Place(0)
# One row for each progress row and each event from where the group began; SQLite and PostgreSQL both use the log's
# index, and the unique indexes that begin with the group.
_PLACED = f"""
    SELECT progress.id AS progress, event.event_id, event.type, event.position,
        CASE WHEN event.position < progress.position THEN {Place.PASSED:d} ELSE 0 END
        + CASE WHEN inbox.id IS NULL THEN 0 ELSE {Place.HANDLED:d} END
        + CASE WHEN parked.id IS NULL THEN 0 ELSE {Place.PARKED:d} END
        + CASE WHEN letter.id IS NULL THEN 0 WHEN letter.state = '{DeadLetter.State.DISCARDED}' THEN {Place.DISCARDED:d}
            WHEN letter.parks THEN {Place.DEAD:d} ELSE {Place.SKIPPED:d} END AS place
    FROM eventbus_progress AS progress
    JOIN eventbus_outbox AS event ON event.topic = progress.topic AND event.partition = progress.partition
        AND event.position >= progress.start
    LEFT JOIN eventbus_inbox AS inbox ON inbox."group" = progress."group" AND inbox.event_id = event.event_id
        AND inbox.replay = {LIVE}
    LEFT JOIN eventbus_parkedevent AS parked ON parked."group" = progress."group" AND parked.event_id = event.event_id
    LEFT JOIN eventbus_deadletter AS letter ON letter."group" = progress."group" AND letter.event_id = event.event_id
"""
_COUNTED = f"SELECT progress, place, count(*) FROM ({_PLACED}) AS placed GROUP BY progress, place"


class Account(msgspec.Struct, frozen=True):
    """A group in a topic. `balance` is 0: published, less all the rest. `undecodable` are among the dead or skipped."""

    group: str
    topic: str
    published: int
    handled: int
    ignored: int
    skipped: int
    discarded: int
    dead: int
    parked: int
    pending: int
    balance: int
    undecodable: int


class Violation(msgspec.Struct, frozen=True):
    """Something that cannot be, with how often and a few examples."""

    group: str
    topic: str
    partition: int
    what: str
    count: int
    event_ids: list[UUID]

    def __str__(self) -> str:
        named = f", such as {', '.join(map(str, self.event_ids))}" if self.event_ids else ""
        return f"{self.group} {self.topic}/{self.partition}: {self.what}: {self.count}{named}."


class Ledger(msgspec.Struct, frozen=True):
    """All accounts at one moment. Counted apart: what the log refused, by topic; and by group what came from elsewhere
    (handled, without an outbox row of ours) and what replays handled again."""

    at: datetime
    accounts: list[Account]
    violations: list[Violation]
    refused: dict[str, int]
    foreign: dict[str, int]
    replayed: dict[str, int]


def read() -> Ledger:
    """Read it in one snapshot, while the site runs: nobody waits for it. Takes seconds when the outbox is long."""
    with snapshot():
        tallies, unsent = _tallies(), _by_topic(refused=False)
        foreign, replayed = _apart(tallies)
        return Ledger(
            at=clock.now(),
            accounts=_accounts(tallies, unsent),
            violations=[*_violations(tallies, Early(unsent)), *_without_events()],
            refused=_by_topic(refused=True),
            foreign=foreign,
            replayed=replayed,
        )


def problems(found: Ledger) -> list[str]:
    """What does not balance, one sentence each."""
    told = [str(one) for one in found.violations]
    told += [f"{one.group} {one.topic} does not balance by {one.balance}." for one in found.accounts if one.balance]
    return told and [*told, "The ledger does not balance: see docs/operations.md, When the ledger does not balance."]


@contextmanager
def snapshot() -> Iterator[None]:
    """All reads inside see the database as it is at the first one, and hold up no writer.

    Inside a transaction (a test's) it is that transaction's view.
    """
    if connection.in_atomic_block:
        yield
    elif connection.vendor == "postgresql":
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield
    else:
        with connection.cursor() as cursor:
            cursor.execute("BEGIN DEFERRED")  # past Django, whose transactions begin as writers and queue
            try:
                yield
            finally:
                cursor.execute("ROLLBACK")


class _Tally(msgspec.Struct):
    """A progress row, and how many events lie where."""

    row: Progress
    places: Counter[int]

    def count(self, place: Place) -> int:
        """How many lie there, whatever else they do."""
        return sum(count for found, count in self.places.items() if found & place)

    @property
    def nowhere(self) -> int:
        """Passed, and no row tells of it."""
        return self.places[Place.PASSED]

    @property
    def ignored_with_rows(self) -> int:
        """Of those that lie nowhere, how many were ignored."""
        return ignored_once(self.row, passed=self.count(Place.PASSED), nowhere=self.nowhere)


def _tallies() -> list[_Tally]:
    tallies = {row.pk: _Tally(row, Counter()) for row in Progress.objects.order_by("group", "topic", "partition")}
    with connection.cursor() as cursor:
        cursor.execute(_COUNTED)
        for progress, place, count in cursor.fetchall():
            tallies[progress].places[place] = count
    return list(tallies.values())


def _accounts(tallies: Iterable[_Tally], unsent: Mapping[str, int]) -> list[Account]:
    undecodable = _undecodable()
    found: defaultdict[tuple[str, str], list[_Tally]] = defaultdict(list)
    for tally in tallies:
        found[tally.row.group, tally.row.topic].append(tally)
    return [
        _account(group, topic, partitions, unsent.get(topic, 0), undecodable.get((group, topic), 0))
        for (group, topic), partitions in found.items()
    ]


def _account(group: str, topic: str, partitions: list[_Tally], unsent: int, undecodable: int) -> Account:
    rows = [one.row for one in partitions]
    pruned = sum(row.pruned for row in rows)
    published = unsent + pruned + sum(one.places.total() for one in partitions)
    places = {
        "handled": sum(row.handled for row in rows),
        "ignored": sum(one.row.pruned_ignored + one.ignored_with_rows for one in partitions),
        "skipped": sum(one.count(Place.SKIPPED) for one in partitions),
        "discarded": sum(row.discarded for row in rows),
        "dead": sum(one.count(Place.DEAD) for one in partitions),
        "parked": sum(one.count(Place.PARKED) for one in partitions),
        "pending": unsent + sum(one.places[NOWHERE] for one in partitions),
    }
    places["pending"] -= Early({topic: unsent}).among(topic, sum(places.values()) - published)
    balance = published - sum(places.values())
    return Account(group=group, topic=topic, published=published, **places, balance=balance, undecodable=undecodable)


def _violations(tallies: Iterable[_Tally], early: Early) -> Iterator[Violation]:
    for tally in tallies:
        row = tally.row
        for what, places in _impossible(tally).items():
            yield _violation(row, what, sum(tally.places[place] for place in places), _examples(row, places))
        lost = tally.nowhere - tally.ignored_with_rows
        if lost > 0:
            yield _violation(row, "lost (passed, and nowhere)", lost, _examples(row, [Place.PASSED]))
        for name, counted, there in _double_entries(tally):
            if counted != there and not early.explains(row.group, row.topic, counted - there):
                what = f"{name} differs (the counter says {counted}, the rows say {there})"
                yield _violation(row, what, abs(counted - there), [])


def _double_entries(tally: _Tally) -> Iterator[tuple[str, int, int]]:
    """What was counted, less what was pruned, and how many rows there are of it. More ignored ones are lost ones."""
    row = tally.row
    yield "handled", row.handled - row.pruned_handled, tally.count(Place.HANDLED)
    yield "discarded", row.discarded - row.pruned_discarded, tally.count(Place.DISCARDED)
    yield "ignored", tally.ignored_with_rows, min(tally.nowhere, tally.ignored_with_rows)


def _impossible(tally: _Tally) -> dict[str, list[int]]:
    """Where no event may lie, by what is wrong with that."""
    found: defaultdict[str, list[int]] = defaultdict(list)
    for value in tally.places:
        places = Place(value) & ~Place.PASSED
        if places.bit_count() > 1:
            names = " and ".join(str(place.name).lower() for place in places)
            found[f"in two places ({names})"].append(value)
        elif places and not value & Place.PASSED:
            found[f"{str(places.name).lower()}, and still to come (the group's position was moved back)"].append(value)
    return found


def _violation(row: Progress, what: str, count: int, event_ids: list[UUID]) -> Violation:
    return Violation(row.group, row.topic, row.partition, what, count, event_ids)


def _examples(row: Progress, places: Iterable[int]) -> list[UUID]:
    """Some events that lie there; first those of a type that the group handles today: they cannot have been ignored,
    unless by a release that did not know them yet."""
    values = ", ".join(str(int(place)) for place in places)
    group = registry.groups.get(row.group)
    types = list(group.handlers) if group else []
    known = f"CASE WHEN type IN ({', '.join(['%s'] * len(types))}) THEN 0 ELSE 1 END, " if types else ""
    statement = f"""
        SELECT event_id FROM ({_PLACED} WHERE progress.id = %s) AS placed WHERE place IN ({values})
        ORDER BY {known}position LIMIT {EXAMPLES_MAX}
    """
    with connection.cursor() as cursor:
        cursor.execute(statement, [row.pk, *types])
        return [found if isinstance(found, UUID) else UUID(found) for (found,) in cursor.fetchall()]


def _without_events() -> Iterator[Violation]:
    """What waits or died, and whose event was taken from the outbox: looked for by place, which is indexed."""
    place = {name: OuterRef(name) for name in ("topic", "partition", "position")}
    in_outbox = OutboxRow.objects.filter(**place)
    for table, what in ((ParkedEvent, "parked"), (DeadLetter, "dead")):
        rows = table._default_manager.filter(~Exists(in_outbox), headers__contains=ours()).filter(not_early())
        rows = rows.filter(not_twice(rows))
        places = rows.order_by().values_list("group", "topic", "partition")
        for group, topic, partition, count in places.annotate(count=Count("id")):
            there = rows.filter(group=group, topic=topic, partition=partition)
            examples = list(there.order_by("id").values_list("event_id", flat=True)[:EXAMPLES_MAX])
            yield Violation(group, topic, partition, f"{what}, and gone from the outbox", count, examples)


def _by_topic(*, refused: bool) -> dict[str, int]:
    """Events that are not in the log: not yet, or since it refused them and nobody has decided about them."""
    rows = OutboxRow.objects.filter(position__isnull=True, withdrawn_at__isnull=True)
    rows = rows.exclude(refused="") if refused else rows.filter(refused="")
    return dict(rows.order_by().values_list("topic").annotate(count=Count("id")))


def _undecodable() -> Counter[tuple[str, str]]:
    letters = DeadLetter.objects.filter(state=DeadLetter.State.OPEN, error_class=Undecodable.__name__)
    return Counter((group, topic) for group, topic in letters.values_list("group", "topic"))


def _apart(tallies: Iterable[_Tally]) -> tuple[dict[str, int], dict[str, int]]:
    """By group: inbox rows of events that are not ours, and of replays."""
    handled: Counter[str] = Counter()
    for tally in tallies:
        handled[tally.row.group] += tally.count(Place.HANDLED)
    foreign, replayed = {}, {}
    rows_by_group = InboxRow.objects.order_by().values_list("group")
    for group, here, rows in rows_by_group.annotate(live=Count("id", filter=Q(replay=LIVE)), all=Count("id")):
        if here != handled[group]:
            foreign[group] = here - handled[group]
        if rows != here:
            replayed[group] = rows - here
    return foreign, replayed
