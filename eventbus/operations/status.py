"""Show operators the state of the bus, and take their requests for dead letters.

Nothing here changes an event. A request is stored in the dead letter's row, with the operator's name. The worker
carries it out under the lock of the group's progress (`dead_letter_requests.apply_request`).
"""

from collections.abc import Iterator
from datetime import datetime

import msgspec
from django.db.models import Count, Q, QuerySet, Subquery, Value

from eventbus import backends, clock
from eventbus.consuming import ignored_types
from eventbus.consuming.ignored_types import IgnoredStatus
from eventbus.database.leases import RELAY, is_beating
from eventbus.models import ConsumerGroup, DeadLetter, LeaseRow, OutboxRow
from eventbus.operations import group_status, lag, pausing, standstill, tally
from eventbus.operations.group_status import GroupStatus as GroupStatus
from eventbus.operations.heartbeats import ProcessStatus, processes
from eventbus.operations.pausing import Standstill
from eventbus.operations.problem import Problem, of_kind
from eventbus.operations.tally import FAILED_ATTEMPTS, RETRYING_SECONDS_MAX
from eventbus.publishing import rejected_records
from eventbus.publishing.relay import BROKEN_SECONDS
from eventbus.recovery import divergence, log_problems, log_truncation
from eventbus.repairs import dead_letters, failing_replays, untrusted_records
from eventbus.repairs.dead_letters import DecisionRefused
from eventbus.repairs.failing_replays import FailingReplay

UNSENT_SECONDS_MAX = 30.0  # a standby takes over within some five seconds: older means that no process relays
RELAYING_ROLES = ("relay", "all")  # of processes that append, or stand by
NOBODY_DISPATCHES = "Nobody dispatches: start the server, or manage.py relay_events."
BEGINS_SECONDS = 1.5 * BROKEN_SECONDS  # a little longer than the pause of a dispatcher that cannot begin


class OutboxStatus(msgspec.Struct, frozen=True):
    """Committed events on their way to the log (`depth`), and the age of the oldest in seconds.

    Not included: `rejected` records, and later events of the same keys, which wait `behind` them.
    """

    depth: int
    oldest_at: datetime | None
    oldest_seconds: float
    rejected: int
    behind: int


class TimersStatus(msgspec.Struct, frozen=True):
    """Events that wait for their time. `late` are those that should be published by now."""

    count: int
    next_due: datetime | None
    late: int


class LeaseStatus(msgspec.Struct, frozen=True):
    """A lease, and the process that holds it (relay, dispatcher or poller). `owner` is empty if none holds it."""

    name: str
    owner: str
    beat: int
    epoch: int


class Status(msgspec.Struct, frozen=True):
    """The whole status, at one time. `log_unavailable` says why the log does not give its ends; empty while it does.

    `failing_keys` counts by group the keys whose first event has failed FAILED_ATTEMPTS times, or has been retried for
    over RETRYING_SECONDS_MAX. `dead_since`: the time of the oldest dead letter.
    """

    at: datetime
    log_unavailable: str
    log_problems: list[str]
    outbox: OutboxStatus
    timers: TimersStatus
    groups: list[GroupStatus]
    failing_keys: dict[str, int]
    dead_since: datetime | None
    restore_problems: list[str]
    untrusted_problems: list[str]
    standstills: list[Standstill]
    ignored_types: list[IgnoredStatus]
    standing: list[standstill.Standing]
    failing_replays: list[FailingReplay]
    processes: list[ProcessStatus]


def status(*, patient: bool = False) -> Status:
    """Read the present state of the bus in a few queries, of which none counts what was sent.

    `patient`: wait for brokers that are busy, as a command may and a page may not.
    """
    progress, counted = group_status.progress(), tally.read()
    groups = list(ConsumerGroup.objects.order_by("name"))
    ends, log_unavailable = group_status.ends(progress, patient=patient)
    asks_brokers, has = bool(ends) or not log_unavailable, counted.count
    return Status(
        at=clock.now(),
        log_unavailable=log_unavailable,
        log_problems=log_problems.read(backends.current(), answers=asks_brokers, lost=has(tally.LOST) > 0),
        outbox=_outbox(rejected=has(tally.REJECTED)),
        timers=TimersStatus(has(tally.TIMERS), counted.since(tally.TIMERS), counted.late(tally.TIMERS).get("", 0)),
        groups=group_status.read(progress, ends, counted),
        failing_keys=counted.late(tally.RETRYING_KEYS),
        dead_since=counted.since(tally.DEAD_LETTERS),
        restore_problems=divergence.problems() if has(tally.DIVERGED) else [],
        untrusted_problems=untrusted_records.problems() if has(tally.UNTRUSTED) else [],
        standstills=pausing.standstills(groups),
        ignored_types=ignored_types.status() if has(tally.IGNORED) else [],
        standing=standstill.standing(progress, groups, ends),
        failing_replays=failing_replays.found() if has(tally.REPLAYS) else [],
        processes=processes(),
    )


def leases() -> list[LeaseStatus]:
    """Return every lease, by name."""
    return [LeaseStatus(row.name, row.owner, row.beat, row.epoch) for row in LeaseRow.objects.order_by("name")]


def problems(found: Status, *, dispatches: bool) -> list[Problem]:
    """Return every problem. `dispatches`: the result of `is_dispatched`."""
    return [
        *([] if dispatches else [Problem(NOBODY_DISPATCHES, kind="relay")]),
        *of_kind("restore", found.restore_problems),
        *of_kind("log", [*log_truncation.problems(found.groups), *found.log_problems]),
        *([Problem(found.log_unavailable, kind="broker")] if found.log_unavailable else []),
        *_outbox_problems(found.outbox),
        *pausing.problems(found.standstills),
        *standstill.problems(found.standing),
        *standstill.overdue(found.timers.late),
        *lag.problems(found.groups, found.standstills),
        *lag.unhandled(found.groups, found.processes, at=found.at),
        *of_kind("ignored-types", ignored_types.problems(found.ignored_types)),
        *_failures(found),
        *of_kind("untrusted", found.untrusted_problems),
        *(
            Problem(str(one), kind="replay", about=one.group, since=one.since, row=one.run)
            for one in found.failing_replays
        ),
    ]


def _outbox_problems(outbox: OutboxStatus) -> Iterator[Problem]:
    if outbox.oldest_seconds > UNSENT_SECONDS_MAX:
        yield Problem(
            f"The oldest unsent event is {outbox.oldest_seconds:.0f} s old; over {UNSENT_SECONDS_MAX:.0f} s "
            "nobody relays, or the relay cannot.",
            kind="outbox",
            since=outbox.oldest_at,
        )
    if outbox.rejected:
        yield Problem(
            f"Rejected by the log: {outbox.rejected}, and {outbox.behind} later events of their keys wait "
            "behind. See manage.py eventbus rejected, then resend or withdraw.",
            kind="rejected",
        )


def _failures(found: Status) -> Iterator[Problem]:
    stopped = {one.group for one in found.standstills if one.breaker_opened_at}  # which says the same, and more
    for group, keys in found.failing_keys.items():
        if group in stopped:
            continue
        yield Problem(
            f"Group {group} has failed at {keys} keys {FAILED_ATTEMPTS} times, or for over "
            f"{RETRYING_SECONDS_MAX / 60:.0f} minutes, and goes on: the admin's parked keys say why.",
            kind="retrying",
            about=group,
        )
    letters = sum(one.dead_letters for one in found.groups)
    if letters:
        yield Problem(
            f"Dead letters: {letters}. See manage.py eventbus dead, then requeue or discard.",
            kind="dead-letters",
            since=found.dead_since,
        )


def is_dispatched() -> bool:
    """Return True if some process relays, or tries to. One that cannot begin takes the lease and releases it again.

    If the owner of the lease is dead, this waits as long as a lease lasts. If there is no owner, it waits
    BEGINS_SECONDS, because a process that cannot begin tries again within that time.
    """
    return is_beating(RELAY, free_seconds=BEGINS_SECONDS)


def _outbox(*, rejected: int) -> OutboxStatus:
    """Return the state of the outbox. `rejected`: the number of rejected events that wait for an operator."""
    unsent = OutboxRow.objects.filter(rejected_records.UNSENT)
    free = rejected_records.not_behind() if rejected else Q()
    on_their_way = unsent.filter(free)
    depth = Subquery(on_their_way.order_by().values(all=Value(1)).annotate(depth=Count("pk")).values("depth"))
    oldest = on_their_way.order_by("id").values_list("created_at", depth).first()
    return OutboxStatus(
        depth=oldest[1] if oldest else 0,
        oldest_at=oldest[0] if oldest else None,
        oldest_seconds=(clock.now() - oldest[0]).total_seconds() if oldest else 0.0,
        rejected=rejected,
        behind=unsent.filter(~free).count() if free else 0,
    )


def dead(*, group: str = "", topic: str = "", key: str = "", discarded: bool = False) -> QuerySet[DeadLetter]:
    """Return dead letters that wait for an operator, or those that were discarded; the oldest first."""
    state = DeadLetter.State.DISCARDED if discarded else DeadLetter.State.OPEN
    asked = {"group": group, "topic": topic, "key": key}
    wanted = {name: value for name, value in asked.items() if value}
    return DeadLetter.objects.filter(state=state, **wanted).order_by("id")


def request_requeue(dead_letter: DeadLetter, who: str) -> None:
    """Store a request to handle a dead letter's event again, as the first of its key. Raises DecisionRefused."""
    _request(dead_letter, DeadLetter.Request.REQUEUE, who)


def request_discard(dead_letter: DeadLetter, who: str) -> None:
    """Store a request to discard a dead letter, so that its key goes on without it. Raises DecisionRefused."""
    _request(dead_letter, DeadLetter.Request.DISCARD, who)


def _request(dead_letter: DeadLetter, action: DeadLetter.Request, who: str) -> None:
    decided = dead_letters.decide([dead_letter.pk], action, who)
    if decided.refused:
        raise DecisionRefused(decided.refused[0])
    dead_letter.request = action
