"""The delivery audit: each event published for a group is in exactly one state, and the counters agree.

It checks the events of a group's topics, from where the group began. Each is handled, ignored, skipped, discarded,
dead, parked or pending. The counters are in `Progress`. The rows are in the outbox, the inbox, the parked events and
the dead letters. One transaction writes both, so they agree in one snapshot of the database. Every difference is a
`Violation`. Most ignored events have a row in the outbox only. So have lost ones. Of the passed events that only the
outbox has, as many are ignored as the counter says. The rest are lost.
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
    """The counts of a group's events in one topic, by state.

    `balance` is `published` less the sum of all states, and should be 0. `undecodable` events are among the dead or
    skipped.
    """

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
    """A difference that the audit found for a group in one partition: the number of events, and a few of their ids."""

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
    """Return the delivery audit of the present state, read in one snapshot. Nothing waits for it.

    It takes seconds if the outbox is long.
    """
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
    """Return a sentence for each violation and each account that does not balance, and where to read about them."""
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
    """Return the ignored events of types that their group handles today.

    Partitions where events are lost are left out: ignored and lost events look the same there.
    """
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
    """Yield for each counted state its name, the counter less the pruned events, and the number of rows.

    If there are more ignored events than counted, no difference is reported here: the surplus is lost (`Tally.lost`).
    """
    row = tally.row
    yield "handled", row.handled - row.pruned_handled, tally.count(State.HANDLED)
    yield "discarded", row.discarded - row.pruned_discarded, tally.count(State.DISCARDED)
    yield "ignored", tally.ignored_with_rows, min(tally.nowhere, tally.ignored_with_rows)


def _impossible(tally: Tally) -> dict[str, list[int]]:
    """Return the combinations of states that no event may have, by the text that says what is wrong."""
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
    """Yield a violation for parked events and dead letters that have lost their outbox row.

    The outbox is searched by offset, because it has an index for that.
    """
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
    """Count by topic the events that are not in the log.

    With `rejected` these are the rejected ones about which no operator has decided, else those that are not appended
    yet.
    """
    rows = OutboxRow.objects.filter(offset__isnull=True, withdrawn_at__isnull=True)
    rows = rows.exclude(rejected="") if rejected else rows.filter(rejected="")
    return dict(rows.order_by().values_list("topic").annotate(count=Count("id")))


def _withdrawn() -> dict[str, int]:
    """Count by topic the events that an operator withdrew. For no group do they count as published."""
    rows = OutboxRow.objects.filter(withdrawn_at__isnull=False)
    return dict(rows.order_by().values_list("topic").annotate(count=Count("id")))


def _undecodable() -> Counter[tuple[str, str]]:
    letters = DeadLetter.objects.filter(state=DeadLetter.State.OPEN, error_class=Undecodable.__name__)
    return Counter((group, topic) for group, topic in letters.values_list("group", "topic"))


def _apart(tallies: Iterable[Tally]) -> tuple[dict[str, int], dict[str, int]]:
    """Count by group the inbox rows of events that are not this site's, and the inbox rows of replays."""
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
