"""Describe each consumer group: members, partitions, lag in events and seconds, and whether it flows."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

import msgspec

from eventbus import clock, registry
from eventbus.database.storable_text import ranged
from eventbus.models import ConsumerGroup, Progress
from eventbus.operations import group_status, heartbeats, tally
from eventbus.operations.group_status import GroupStatus
from eventbus.operations.heartbeats import ProcessStatus
from eventbus.reports.trends import Measured, Trend, trends

State = Literal["flows", "paused", "breaker"]


class Member(msgspec.Struct, frozen=True):
    """A process that reads partitions for a group. `partitions`: such as "orders/0-3"."""

    role: str
    host: str
    pid: int
    silent: bool
    partitions: str


class GroupReport(msgspec.Struct, frozen=True):
    """A group as operators see it. `since`, `who` and `reason` are those of a pause or of an open circuit breaker.

    `lag` is None if the log does not give its end. `is_declared`: the code has its handlers.
    """

    name: str
    state: State
    since: datetime | None
    who: str
    reason: str
    is_declared: bool
    lag: int | None
    waits_since: datetime | None
    waiting_seconds: float
    retrying_keys: int
    dead_letters: int
    trend: Trend
    topics: list[GroupStatus]
    members: list[Member]


class GroupsReport(msgspec.Struct, frozen=True):
    """All groups at one time, those that need an operator first. `log_unavailable`: why ends of the log are missing."""

    at: datetime
    groups: list[GroupReport]
    log_unavailable: str


def report() -> GroupsReport:
    """Return the report on all groups. The log gets a second or two for its answer, and queries are few and fixed."""
    rows = group_status.progress()
    ends, log_unavailable = group_status.ends(rows)
    by_group: dict[str, list[GroupStatus]] = {}
    for one in group_status.read(rows, ends, tally.read()):
        by_group.setdefault(one.group, []).append(one)
    moved = _moved(rows)
    found, processes = list(ConsumerGroup.objects.order_by("name")), heartbeats.processes()
    measured = {one.name: _measured(by_group.get(one.name, []), moved.get(one.name)) for one in found}
    now = clock.now()
    trend = trends.measure(measured, now)
    told = [_group(one, by_group.get(one.name, []), trend[one.name], processes) for one in found]
    return GroupsReport(now, sorted(told, key=_urgency), log_unavailable)


def _moved(rows: Iterable[Progress]) -> dict[str, datetime]:
    """Return when each group last moved in a partition in which an event waits for it."""
    found: dict[str, datetime] = {}
    for row in rows:
        if row.waits_since and row.moved_at:  # type: ignore[attr-defined]  # an annotation
            found[row.group] = min(found.get(row.group, row.moved_at), row.moved_at)
    return found


def _measured(topics: list[GroupStatus], moved_at: datetime | None) -> Measured:
    return Measured(
        handled=sum(one.handled + one.ignored + one.discarded for one in topics),
        waiting_seconds=max((one.waiting_seconds for one in topics), default=0.0),
        moved_at=moved_at,
    )


def _group(row: ConsumerGroup, topics: list[GroupStatus], trend: Trend, processes: list[ProcessStatus]) -> GroupReport:
    state: State = "paused" if row.paused_at else "breaker" if row.breaker_opened_at else "flows"
    lags = [one.lag for one in topics]
    return GroupReport(
        name=row.name,
        state=state,
        since=row.paused_at or row.breaker_opened_at,
        who=row.paused_by,
        reason=row.breaker_reason,
        is_declared=row.name in registry.groups,
        lag=None if None in lags else sum(lag for lag in lags if lag is not None),
        waits_since=min((one.waits_since for one in topics if one.waits_since), default=None),
        waiting_seconds=max((one.waiting_seconds for one in topics), default=0.0),
        retrying_keys=sum(one.retrying_keys for one in topics),
        dead_letters=sum(one.dead_letters for one in topics),
        trend=trend,
        topics=topics,
        members=[
            Member(one.role, one.host, one.pid, one.silent, ranged(one.assignment[row.name]))
            for one in processes
            if one.assignment.get(row.name)
        ],
    )


def _urgency(one: GroupReport) -> tuple[bool, bool, float, str]:
    """The key that sorts groups: those that stand still, then those with failures, then those that wait longest."""
    return one.state == "flows", not (one.dead_letters or one.retrying_keys), -one.waiting_seconds, one.name
