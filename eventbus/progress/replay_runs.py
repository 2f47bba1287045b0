"""Replays that are under way, and how one ends when its places in the log are gone."""

from eventbus import clock
from eventbus.models import ReplayRun

NOWHERE = "{}"  # the offsets of a run that was ended because its places in the log mean nothing any more


def end(topic: str, why: str, **whose: str) -> None:
    """No run that names the topic goes on: its places there mean nothing any more. `why` says also what to do.

    In the transaction that makes it so, which holds the topic's progress: a run at work sees it before its next batch.
    """
    its = ReplayRun.objects.filter(offsets__contains=f'"{topic}/', **whose).exclude(state=ReplayRun.State.DONE)
    its.update(state=ReplayRun.State.FAILED, ended_at=clock.now(), error=why, offsets=NOWHERE)
