"""Report groups that are behind by more than the settings allow, and groups that no process handles."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from django.conf import settings

from eventbus.database.storable_text import TIME
from eventbus.operations.group_status import GroupStatus
from eventbus.operations.heartbeats import BEAT_SECONDS, ProcessStatus
from eventbus.operations.pausing import Standstill
from eventbus.operations.problem import Problem

HANDLING_ROLES = ("handle", "relay", "all")  # of processes that may handle
# A process stores what it handles when it begins, perhaps before its groups have begun, and again at each beat.
BEGINS_SECONDS = 2 * BEAT_SECONDS


def problems(groups: Iterable[GroupStatus], standstills: Iterable[Standstill]) -> list[Problem]:
    """Return a problem for each group and topic over a limit: by how much, since when, and the remedy."""
    still = {one.group: one for one in standstills}
    return [
        Problem(_behind(one, still), kind="lag", about=one.group, since=one.waits_since)
        for one in groups
        if _is_behind(one)
    ]


def unhandled(groups: Iterable[GroupStatus], processes: Iterable[ProcessStatus], *, at: datetime) -> list[Problem]:
    """Return a problem for each group that no living process handles.

    Return none while a process that may handle has only just begun: it may not have stored yet what it handles.
    """
    living = [one for one in processes if not one.silent]
    if any(one.role in HANDLING_ROLES and at - one.began_at < timedelta(seconds=BEGINS_SECONDS) for one in living):
        return []
    handled = {group for one in living for group in one.assignment}
    return [
        Problem(
            f"Nobody handles group {name}: no living process does. Start manage.py handle_events --group {name}, or "
            f"the server; where the group is gone for good, manage.py eventbus close {name}.",
            kind="unhandled",
            about=name,
        )
        for name in sorted({one.group for one in groups} - handled)
    ]


def _is_behind(one: GroupStatus) -> bool:
    if (one.lag or 0) > settings.EVENTBUS_LAG_EVENTS_MAX:
        return True
    return one.waiting_seconds > settings.EVENTBUS_LAG_SECONDS_MAX


def _behind(one: GroupStatus, still: Mapping[str, Standstill]) -> str:
    count = "an unknown number of" if one.lag is None else f"{one.lag}"
    since = ""
    if one.waits_since is not None:
        since = f", the oldest waits since {one.waits_since:{TIME}} ({_age(one.waiting_seconds)})"
    return (
        f"Group {one.group} is {count} events behind in {one.topic}{since}; the limits are "
        f"{settings.EVENTBUS_LAG_EVENTS_MAX} events and {settings.EVENTBUS_LAG_SECONDS_MAX} s. {_remedy(one, still)}"
    )


def _remedy(one: GroupStatus, still: Mapping[str, Standstill]) -> str:
    found = still.get(one.group)
    if found is not None and found.paused_at is not None:
        return f"It is paused: manage.py eventbus resume {one.group}."
    if found is not None:
        return "Its circuit breaker is open: mend what fails."
    return (
        "Read the log of the process that handles it; where it only has too much to do, start further manage.py "
        f"handle_events --group {one.group}, or raise EVENTBUS_LAG_EVENTS_MAX and EVENTBUS_LAG_SECONDS_MAX."
    )


def _age(seconds: float) -> str:
    """Format an age for people: 45 s, 12 min, 6 h, 3 days."""
    for unit, size, most in (("s", 1, 120), ("min", 60, 7_200), ("h", 3_600, 172_800)):
        if seconds < most:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86_400:.0f} days"
