"""Find groups that stand. Events wait for them, nobody paused them and their circuit breaker is closed."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

import msgspec

from eventbus import backends, clock, registry
from eventbus.backends.base import TopicPartition
from eventbus.errors import LogUnavailable
from eventbus.models import ConsumerGroup
from eventbus.operations.problem import Problem
from eventbus.operations.tally import OVERDUE_SECONDS

STANDS_SECONDS = 60.0  # twice a handler's time limit by default; if it declares a longer one, twice that


class Standing(msgspec.Struct, frozen=True):
    """A group that has events to handle in a partition, and whose offset has not moved for `seconds`."""

    group: str
    topic: str
    partition: int
    since: datetime
    seconds: float


def standing(
    progress: Iterable[Any], rows: Iterable[ConsumerGroup], ends: Mapping[TopicPartition, int] = MappingProxyType({})
) -> list[Standing]:
    """Return the groups that stand, since their last move or the arrival of the next event, whichever came later.

    `progress`: the rows of `group_status.progress`, which know when the next event arrived. `rows`: all groups.
    A group that has never moved stands since its creation at the earliest. `ends` are the ends of the log, which show
    other programs' records too. No table has the time of their arrival, so a group that waits for one stands since its
    last move.
    """
    groups = {group.name: group for group in rows}
    still = {name for name, one in groups.items() if one.paused_at or one.breaker_opened_at}
    now, found = clock.now(), []
    for row in progress:
        if row.group in still:
            continue
        created = groups[row.group].created_at if row.group in groups else None
        limit = now - timedelta(seconds=seconds_max(row.group))
        since = _since(row, created) or _since_for_others(row, created, ends, limit)
        if since is not None and since < limit:
            found.append(Standing(row.group, row.topic, row.partition, since, (now - since).total_seconds()))
    return found


def seconds_max(group: str) -> float:
    """Return how long a group's offset may stay the same. A group that is not in the code gets the default."""
    known = registry.groups.get(group)
    return max(STANDS_SECONDS, 2 * known.seconds) if known else STANDS_SECONDS


def _since(row: Any, created: datetime | None) -> datetime | None:
    arrived: datetime | None = row.waits_since
    if arrived is None:
        return None
    moved: datetime | None = row.moved_at
    if moved:
        return max(arrived, moved)
    # A new group may begin with old events. After a change of the machine's clock its creation may lie ahead.
    return max(arrived, created) if created and created <= clock.now() else arrived


def _since_for_others(
    row: Any, created: datetime | None, ends: Mapping[TopicPartition, int], limit: datetime
) -> datetime | None:
    """Return the group's last move if another program's record has waited for it since before `limit`."""
    moved = row.moved_at or created
    partition = TopicPartition(row.topic, row.partition)
    if moved is None or moved >= limit or ends.get(partition, 0) <= row.offset:
        return None
    try:
        return moved if backends.current().waits(partition, row.offset, limit) else None
    except LogUnavailable:
        return None  # the status says so itself


def problems(found: Iterable[Standing]) -> list[Problem]:
    """Return a problem for each group that stands."""
    longest: dict[str, Standing] = {}
    for one in found:
        if one.group not in longest or longest[one.group].seconds < one.seconds:
            longest[one.group] = one
    return [Problem(_sentence(one), kind="standing", about=one.group, since=one.since) for one in longest.values()]


def overdue(late: int) -> list[Problem]:
    """Return a problem if some timers are late."""
    text = f"Timers that are over {OVERDUE_SECONDS:.0f} s late: {late}. Nobody relays, or the relay cannot."
    return [Problem(text, kind="timers")] if late else []


def _sentence(one: Standing) -> str:
    stands = f"Group {one.group} stands: it has not moved in {one.topic}/{one.partition} for {one.seconds:.0f} s. "
    if one.group not in registry.groups:
        remedy = f"close it with manage.py eventbus close {one.group}, or bring its handlers back"
        return f"{stands}It is not in the code: {remedy}."
    return (
        f"{stands}Start its workers; if they run, a handler hangs, or somebody holds what it needs: their log names "
        "the event."
    )
