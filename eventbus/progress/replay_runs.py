"""End replays whose offsets in the log are gone."""

from eventbus import clock
from eventbus.models import ReplayRun

NOWHERE = "{}"  # the offsets of a run that was ended because its own mean nothing any more


def end(topic: str, why: str, **whose: str) -> None:
    """End all unfinished runs that name the topic: their offsets there mean nothing any more. `why` has the remedy too.

    Runs in the transaction that makes it so and holds the topic's progress. A run at work sees it before its next
    batch.
    """
    its = ReplayRun.objects.filter(offsets__contains=f'"{topic}/', **whose).exclude(state=ReplayRun.State.DONE)
    its.update(state=ReplayRun.State.FAILED, ended_at=clock.now(), error=why, offsets=NOWHERE)
