"""End replays whose offsets in the log are gone."""

from django.db.models import Case, Value, When

from eventbus import clock
from eventbus.models import ReplayRun

NOWHERE = "{}"  # stored as the offsets of a run that was ended because its real ones are no longer valid


def end(topic: str, why: str, **whose: str) -> None:
    """End all unfinished replay runs of a topic: their offsets there are no longer valid. `why` also names the remedy.

    Only a run that was running fails by it. Nobody waits for one that is stopped, or has not begun.
    `whose`: more conditions on the runs, such as `group`. Call it in the transaction that makes the offsets invalid and
    locks the topic's progress. A running replay sees it before its next batch.
    """
    its = ReplayRun.objects.filter(offsets__contains=f'"{topic}/', **whose).exclude(state=ReplayRun.State.DONE)
    waits = When(state__in=(ReplayRun.State.FROZEN, ReplayRun.State.STOPPED), then=Value(ReplayRun.State.STOPPED))
    state = Case(waits, default=Value(ReplayRun.State.FAILED))
    its.update(state=state, ended_at=clock.now(), error=why, offsets=NOWHERE)
