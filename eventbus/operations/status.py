"""Show operators the state of the bus, and take their requests for dead letters.

Nothing here changes an event. A request is stored in the dead letter's row, with the operator's name. The worker
carries it out under the lock of the group's progress (`dead_letter_requests.apply_request`).
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec
from django.db.models import Count, Min, Q, QuerySet

from eventbus import backends, clock
from eventbus.consuming import ignored_types
from eventbus.consuming.ignored_types import IgnoredStatus
from eventbus.database.leases import RELAY, is_beating
from eventbus.models import DeadLetter, LeaseRow, OutboxRow, ParkedKey, Timer
from eventbus.operations import group_status, lag, log_problems, pausing, standstill
from eventbus.operations.group_status import GroupStatus as GroupStatus
from eventbus.operations.heartbeats import ProcessStatus, processes
from eventbus.operations.pausing import Standstill
from eventbus.operations.problem import Problem, of_kind
from eventbus.publishing import rejected_records
from eventbus.publishing.relay import BROKEN_SECONDS
from eventbus.recovery import divergence, log_truncation
from eventbus.repairs import dead_letters
from eventbus.repairs.dead_letters import DecisionRefused

UNSENT_SECONDS_MAX = 30.0  # a standby takes over within some five seconds: older means that no process relays
RETRYING_SECONDS_MAX = 600.0  # a key retried for longer is reported: restarts and eight attempts take less
# A key whose event has failed so often is reported: within three seconds by the default backoff. One failure, or two,
# may be a lock or a lost race.
FAILED_ATTEMPTS = 3
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
    """Events that wait for their time."""

    count: int
    next_due: datetime | None


class LeaseStatus(msgspec.Struct, frozen=True):
    """A lease, and the process that holds it (relay, dispatcher or poller). `owner` is empty if none holds it."""

    name: str
    owner: str
    beat: int
    epoch: int


class Status(msgspec.Struct, frozen=True):
    """The whole status, at one time. `log_unavailable` says why the log does not give its ends; empty while it does.

    `failing_keys` counts by group the keys whose first event has failed FAILED_ATTEMPTS times, or has been retried for
    over RETRYING_SECONDS_MAX.
    """

    at: datetime
    log_unavailable: str
    log_problems: list[str]
    outbox: OutboxStatus
    timers: TimersStatus
    groups: list[GroupStatus]
    failing_keys: dict[str, int]
    standstills: list[Standstill]
    ignored_types: list[IgnoredStatus]
    standing: list[standstill.Standing]
    leases: list[LeaseStatus]
    processes: list[ProcessStatus]


def status() -> Status:
    """Read the present state of the bus. This takes a few small queries, and none counts the whole outbox."""
    progress = group_status.progress()
    ends, log_unavailable = group_status.ends(progress)
    return Status(
        at=clock.now(),
        log_unavailable=log_unavailable,
        log_problems=log_problems.read(backends.current(), answers=bool(ends) or not log_unavailable),
        outbox=_outbox(),
        timers=TimersStatus(**Timer.objects.aggregate(count=Count("id"), next_due=Min("due"))),
        groups=group_status.read(progress, ends),
        failing_keys=_failing_keys(),
        standstills=pausing.standstills(),
        ignored_types=ignored_types.status(),
        standing=standstill.standing(progress, ends),
        leases=[LeaseStatus(row.name, row.owner, row.beat, row.epoch) for row in LeaseRow.objects.order_by("name")],
        processes=processes(),
    )


def problems(found: Status, *, dispatches: bool) -> list[Problem]:
    """Return every problem. `dispatches`: the result of `is_dispatched`."""
    return [
        *([] if dispatches else [Problem(NOBODY_DISPATCHES, kind="relay")]),
        *of_kind("restore", divergence.problems()),
        *of_kind("log", [*log_truncation.problems(found.groups), *found.log_problems]),
        *([Problem(found.log_unavailable, kind="broker")] if found.log_unavailable else []),
        *_outbox_problems(found.outbox),
        *pausing.problems(found.standstills),
        *standstill.problems(found.standing),
        *lag.problems(found.groups, found.standstills),
        *lag.unhandled(found.groups, found.processes, at=found.at),
        *of_kind("ignored-types", ignored_types.problems(found.ignored_types)),
        *_failures(found),
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
        oldest = DeadLetter.objects.filter(state=DeadLetter.State.OPEN).order_by("id").values_list("died_at", flat=True)
        yield Problem(
            f"Dead letters: {letters}. See manage.py eventbus dead, then requeue or discard.",
            kind="dead-letters",
            since=oldest.first(),
        )


def is_dispatched() -> bool:
    """Return True if some process relays, or tries to. One that cannot begin takes the lease and releases it again.

    If the owner of the lease is dead, this waits as long as a lease lasts. If there is no owner, it waits
    BEGINS_SECONDS, because a process that cannot begin tries again within that time.
    """
    return is_beating(RELAY, free_seconds=BEGINS_SECONDS)


def _outbox() -> OutboxStatus:
    unsent, free = OutboxRow.objects.filter(rejected_records.UNSENT), rejected_records.not_behind()
    on_their_way = unsent.filter(free)
    oldest_at = on_their_way.order_by("id").values_list("created_at", flat=True).first()
    return OutboxStatus(
        depth=on_their_way.count(),
        oldest_at=oldest_at,
        oldest_seconds=(clock.now() - oldest_at).total_seconds() if oldest_at else 0.0,
        rejected=OutboxRow.objects.filter(rejected_records.WAITS).count(),
        behind=unsent.filter(~free).count() if free else 0,
    )


def _failing_keys() -> dict[str, int]:
    long = Q(parked_at__lt=clock.now() - timedelta(seconds=RETRYING_SECONDS_MAX))
    keys = ParkedKey.objects.filter(long | Q(attempts__gte=FAILED_ATTEMPTS), state=ParkedKey.State.RETRYING)
    return dict(keys.order_by("group").values_list("group").annotate(count=Count("id")))


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
