"""The delivery audit: each event published for a group is in exactly one state, and the counters agree.

Each event of a group's topics, from where the group began, is handled, ignored, skipped, discarded, dead, parked or
pending. The counters (`Progress`) and the rows (outbox, inbox, parked events, dead letters) are written in the same
transactions. So they agree in one snapshot of the database. Every difference is a `Violation`. Most ignored events have
no row of their own. So of the events without a row, as many as the counters say are ignored, and the rest are lost.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from uuid import UUID

import msgspec
from django.db import connection, transaction
from django.db.models import Count, Exists, OuterRef, Q

from eventbus import clock, registry
from eventbus.audit import state_counts
from eventbus.audit.state_counts import EXAMPLES_MAX, NO_STATE, State, Tally, examples
from eventbus.audit.tolerances import EarlyHandling, not_early, not_twice
from eventbus.events import Undecodable, ours
from eventbus.models import DeadLetter, InboxRow, OutboxRow, ParkedEvent, Progress
from eventbus.progress.inbox import LIVE

LOST = "lost (passed, and nowhere)"


class Account(msgspec.Struct, frozen=True):
    """A group in a topic. `balance` is published less all the rest: 0. `undecodable` are among the dead or skipped."""

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
    """Something impossible, with its count and a few examples."""

    group: str
    topic: str
    partition: int
    what: str
    count: int
    event_ids: list[UUID]

    def __str__(self) -> str:
        named = f", such as {', '.join(map(str, self.event_ids))}" if self.event_ids else ""
        return f"{self.group} {self.topic}/{self.partition}: {self.what}: {self.count}{named}."


class Earlier(msgspec.Struct, frozen=True):
    """Events that a group ignored before it had a handler of their type, and that are still in the outbox."""

    group: str
    topic: str
    type: str
    events: int


class DeliveryAudit(msgspec.Struct, frozen=True):
    """All accounts at one moment.

    `earlier`: those of the ignored events whose types the groups handle today. The other counts are not part of the
    accounts. By topic: `rejected` records that wait for an operator, and `withdrawn` ones. By group: `foreign`, handled
    events without an outbox row of this site, and `replayed`, events that replays handled again.
    """

    at: datetime
    accounts: list[Account]
    violations: list[Violation]
    earlier: list[Earlier]
    rejected: dict[str, int]
    withdrawn: dict[str, int]
    foreign: dict[str, int]
    replayed: dict[str, int]


def read() -> DeliveryAudit:
    """Read it in one snapshot, while the site runs: nothing waits for it. Takes seconds when the outbox is long."""
    with snapshot():
        found, unsent = state_counts.tallies(), _by_topic(rejected=False)
        foreign, replayed = _apart(found)
        return DeliveryAudit(
            at=clock.now(),
            accounts=_accounts(found, unsent),
            violations=[*_violations(found, EarlyHandling(unsent)), *_without_events()],
            earlier=_earlier(found),
            rejected=_by_topic(rejected=True),
            withdrawn=_withdrawn(),
            foreign=foreign,
            replayed=replayed,
        )


def problems(found: DeliveryAudit) -> list[str]:
    """Return one sentence for each thing that does not balance."""
    told = [str(one) for one in found.violations]
    told += [f"{one.group} {one.topic} does not balance by {one.balance}." for one in found.accounts if one.balance]
    return told and [
        *told,
        "See docs/operations.md, When the delivery audit does not balance.",
    ]


@contextmanager
def snapshot() -> Iterator[None]:
    """Let all reads in the context see the database as of the first read. No writer waits for this.

    If a transaction is open already (in a test), the reads see what that transaction sees.
    """
    if connection.in_atomic_block:
        yield
    elif connection.vendor == "postgresql":
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield
    else:
        with connection.cursor() as cursor:
            cursor.execute("BEGIN DEFERRED")  # bypasses Django, whose transactions begin as writers and queue
            try:
                yield
            finally:
                cursor.execute("ROLLBACK")


def _earlier(tallies: Iterable[Tally]) -> list[Earlier]:
    """Return ignored events of types handled today, unless some are lost beside them: then the two look alike."""
    found: Counter[tuple[str, str, str]] = Counter()
    for tally in tallies:
        group = registry.groups.get(tally.row.group)
        if group is not None and tally.nowhere == tally.ignored_with_rows:
            for type_ in tally.nowhere_by_type.keys() & group.handlers.keys():
                found[tally.row.group, tally.row.topic, type_] += tally.nowhere_by_type[type_]
    return [Earlier(*identity, events) for identity, events in sorted(found.items())]


def _accounts(tallies: Iterable[Tally], unsent: Mapping[str, int]) -> list[Account]:
    undecodable = _undecodable()
    found: defaultdict[tuple[str, str], list[Tally]] = defaultdict(list)
    for tally in tallies:
        found[tally.row.group, tally.row.topic].append(tally)
    return [
        _account(group, topic, partitions, unsent.get(topic, 0), undecodable.get((group, topic), 0))
        for (group, topic), partitions in found.items()
    ]


def _account(group: str, topic: str, partitions: list[Tally], unsent: int, undecodable: int) -> Account:
    rows = [one.row for one in partitions]
    pruned = sum(row.pruned for row in rows)
    published = unsent + pruned + sum(one.states.total() for one in partitions)
    states = {
        "handled": sum(row.handled for row in rows),
        "ignored": sum(one.row.pruned_ignored + one.count(State.IGNORED) + one.ignored_with_rows for one in partitions),
        "skipped": sum(one.count(State.SKIPPED) for one in partitions),
        "discarded": sum(row.discarded for row in rows),
        "dead": sum(one.count(State.DEAD) for one in partitions),
        "parked": sum(one.count(State.PARKED) for one in partitions),
        "pending": unsent + sum(one.states[NO_STATE] for one in partitions),
    }
    states["pending"] -= EarlyHandling({topic: unsent}).among(topic, sum(states.values()) - published)
    balance = published - sum(states.values())
    return Account(group=group, topic=topic, published=published, **states, balance=balance, undecodable=undecodable)


def _violations(tallies: Iterable[Tally], early: EarlyHandling) -> Iterator[Violation]:
    for tally in tallies:
        row = tally.row
        for what, states in _impossible(tally).items():
            yield _violation(row, what, sum(tally.states[state] for state in states), examples(row, states))
        if tally.lost > 0:
            yield _violation(row, LOST, tally.lost, examples(row, [State.PASSED]))
        for name, counted, there in _double_entries(tally):
            if counted != there and not early.explains(row.group, row.topic, counted - there):
                what = f"{name} differs (the counter says {counted}, the rows say {there})"
                yield _violation(row, what, abs(counted - there), [])


def _double_entries(tally: Tally) -> Iterator[tuple[str, int, int]]:
    """Yield what was counted less what was pruned, and the number of its rows. Surplus ignored events are lost ones."""
    row = tally.row
    yield "handled", row.handled - row.pruned_handled, tally.count(State.HANDLED)
    yield "discarded", row.discarded - row.pruned_discarded, tally.count(State.DISCARDED)
    yield "ignored", tally.ignored_with_rows, min(tally.nowhere, tally.ignored_with_rows)


def _impossible(tally: Tally) -> dict[str, list[int]]:
    """Return the impossible states, by what is wrong with them."""
    found: defaultdict[str, list[int]] = defaultdict(list)
    for value in tally.states:
        states = State(value) & ~State.PASSED
        if states.bit_count() > 1:
            names = " and ".join(str(state.name).lower() for state in states)
            found[f"in two states ({names})"].append(value)
        elif states and not value & State.PASSED:
            found[f"{str(states.name).lower()}, and still to come (the group's offset was moved back)"].append(value)
    return found


def _violation(row: Progress, what: str, count: int, event_ids: list[UUID]) -> Violation:
    return Violation(row.group, row.topic, row.partition, what, count, event_ids)


def _without_events() -> Iterator[Violation]:
    """Yield what is parked or dead and gone from the outbox. The search is by offset, which is indexed."""
    at = {name: OuterRef(name) for name in ("topic", "partition", "offset")}
    in_outbox = OutboxRow.objects.filter(**at)
    for table, what in ((ParkedEvent, "parked"), (DeadLetter, "dead")):
        rows = table._default_manager.filter(~Exists(in_outbox), headers__contains=ours()).filter(not_early())
        rows = rows.filter(not_twice(rows))
        partitions = rows.order_by().values_list("group", "topic", "partition")
        for group, topic, partition, count in partitions.annotate(count=Count("id")):
            there = rows.filter(group=group, topic=topic, partition=partition)
            examples = list(there.order_by("id").values_list("event_id", flat=True)[:EXAMPLES_MAX])
            yield Violation(group, topic, partition, f"{what}, and gone from the outbox", count, examples)


def _by_topic(*, rejected: bool) -> dict[str, int]:
    """Count events that are not in the log: not yet, or since it rejected them and no operator has decided."""
    rows = OutboxRow.objects.filter(offset__isnull=True, withdrawn_at__isnull=True)
    rows = rows.exclude(rejected="") if rejected else rows.filter(rejected="")
    return dict(rows.order_by().values_list("topic").annotate(count=Count("id")))


def _withdrawn() -> dict[str, int]:
    """Count events that an operator withdrew: they are published for no group."""
    rows = OutboxRow.objects.filter(withdrawn_at__isnull=False)
    return dict(rows.order_by().values_list("topic").annotate(count=Count("id")))


def _undecodable() -> Counter[tuple[str, str]]:
    letters = DeadLetter.objects.filter(state=DeadLetter.State.OPEN, error_class=Undecodable.__name__)
    return Counter((group, topic) for group, topic in letters.values_list("group", "topic"))


def _apart(tallies: Iterable[Tally]) -> tuple[dict[str, int], dict[str, int]]:
    """Count by group the inbox rows of events that are not ours, and of replays."""
    handled: Counter[str] = Counter()
    for tally in tallies:
        handled[tally.row.group] += tally.count(State.HANDLED)
    foreign, replayed = {}, {}
    rows_by_group = InboxRow.objects.filter(handled_at__isnull=False).order_by().values_list("group")
    for group, here, rows in rows_by_group.annotate(live=Count("id", filter=Q(replay=LIVE)), all=Count("id")):
        if here != handled[group]:
            foreign[group] = here - handled[group]
        if rows != here:
            replayed[group] = rows - here
    return foreign, replayed
