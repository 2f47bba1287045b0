"""Find the replays that need an operator: those that have failed, and those that run and do not move."""

from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec
from django.db.models import Max, Q

from eventbus import clock, registry
from eventbus.models import ReplayRun

# Longer than a batch takes with its rest and with a row that is locked for 30 s. If a handler declares a longer time
# limit, thrice that.
STUCK_SECONDS = 300.0
HANDLER_TIMES = 3

_State = ReplayRun.State


class FailingReplay(msgspec.Struct, frozen=True):
    """A replay that has failed or is stuck, and since when. `others`: how many more of its group need an operator."""

    run: int
    group: str
    since: datetime
    has_failed: bool
    handled: int
    matched: int
    others: int

    def __str__(self) -> str:
        so_far = f"after {self.handled} of {self.matched} events"
        if self.has_failed:
            told = f"has failed {so_far}. Its page says at which event: mend it and let the run go on, or give it up."
        else:
            told = (
                f"is running, and has not moved since {self.since:%Y-%m-%d %H:%M:%S} UTC, {so_far}. Nobody carries it "
                "out, or a handler hangs, as the log of the process that relays says. Stop it on its page, and let it "
                "go on there."
            )
        others = f" Others of this group that need you: {self.others}." if self.others else ""
        return f"Replay {self.run} of group {self.group} {told}{others}"


def may_fail(now: datetime) -> Q:
    """Return the filter for runs that `found` has to look at."""
    return Q(state=_State.FAILED) | Q(state=_State.RUNNING, moved_at__lt=now - timedelta(seconds=STUCK_SECONDS))


def found() -> list[FailingReplay]:
    """Return the first failing replay of each group, by group."""
    by_group: dict[str, list[tuple[ReplayRun, datetime]]] = {}
    for run, since in sorted(_failing(), key=lambda one: one[0].group):
        by_group.setdefault(run.group, []).append((run, since))
    return [
        FailingReplay(run.pk, run.group, since, run.state == _State.FAILED, run.handled, run.matched, len(others))
        for (run, since), *others in by_group.values()
    ]


def _failing() -> Iterator[tuple[ReplayRun, datetime]]:
    """Yield each run that needs an operator, and since when. A run that waits for another to end is well."""
    now, is_next = clock.now(), True
    last_end = ReplayRun.objects.filter(in_background=True).aggregate(last=Max("ended_at"))["last"]
    for run in ReplayRun.objects.filter(state__in=(_State.FAILED, _State.RUNNING)).order_by("id"):
        if run.state == _State.FAILED:
            yield run, run.ended_at or run.began_at
            continue
        moved = run.moved_at or run.began_at
        if run.in_background:
            moved, is_waiting = max(moved, last_end or moved), not is_next
            is_next = False
            if is_waiting:
                continue
        if now - moved > _limit(run):
            yield run, moved


def _limit(run: ReplayRun) -> timedelta:
    known = registry.groups.get(run.group)
    return timedelta(seconds=max(STUCK_SECONDS, HANDLER_TIMES * known.seconds if known else 0.0))
