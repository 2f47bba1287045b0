"""Showing a group's projections a stretch of the log again, as when a bug in one was mended.

A run has a row, with its own offsets. It takes the lock that live handling takes, so the two never meet within a
partition; the group's live progress and counts stay as they are. Only what the group has passed is shown: what is
pending comes live. What is parked or dead for the group is left out.
"""

import threading
import time
from collections.abc import Callable, Sequence

import msgspec

from eventbus import clock, failpoints, registry
from eventbus.backends import outbox_offsets
from eventbus.backends.base import TopicPartition
from eventbus.database.contention import ContentionRetry
from eventbus.database.text import printable
from eventbus.database.unit_of_work import unit_of_work
from eventbus.errors import BusError, is_contention, is_infrastructure_error
from eventbus.events import Record, replaying, with_causation
from eventbus.models import WHO_CHARACTERS_MAX, OperatorAction, ReplayRun
from eventbus.progress import groups, inbox
from eventbus.progress.replay_runs import NOWHERE
from eventbus.repairs.replay_filter import Preview, ReplayFilter, ReplayRefused, Spans, count

RESTS = 1.0  # as long as it worked: what is live goes first, and SQLite gives a busy writer's turn to nobody else
LOCK_SECONDS = 30.0  # then whoever holds a row that an event needs keeps the run, and live handling with it, no longer


class ReplayFailed(BusError):
    """A handler failed; the run stands before that event, and can be resumed."""


def begin(wanted: ReplayFilter, who: str) -> tuple[ReplayRun, Preview]:
    """Note a new run with where it ends. Raises Refused when there is nothing to replay."""
    with failpoints.atomic("replay.begin"):
        spans = wanted.spans()
        counted = count(wanted, spans)  # not of what the group has passed since
        if not counted.types:
            aside = f"{counted.left_out} are parked or dead for it: see manage.py eventbus dead. "
            raise ReplayRefused(
                f"Nothing to replay: no event that group {wanted.group.name} has handled matches. "
                f"{aside if counted.left_out else ''}{counted.reach}".strip()
            )
        run = ReplayRun.objects.create(
            group=wanted.group.name,
            since=wanted.since,
            until=wanted.until,
            key=wanted.key,
            event_id=wanted.event_id,
            who=who[:WHO_CHARACTERS_MAX],
            began_at=clock.now(),
            offsets=_written(spans),
            matched=counted.matched,
        )
        _note(run, who)
    return run, counted


def resume(run: ReplayRun, who: str) -> None:
    """Let a run that failed or was stopped go on from where it stands. Raises Refused."""
    with failpoints.atomic("replay.resume"):
        unfinished = ReplayRun.objects.filter(id=run.id).exclude(state=ReplayRun.State.DONE)
        if not unfinished.exclude(offsets=NOWHERE).update(state=ReplayRun.State.RUNNING, ended_at=None, error=""):
            raise ReplayRefused(_why_refused(run))
        _note(run, who)
    run.refresh_from_db()


def _why_refused(run: ReplayRun) -> str:
    found = ReplayRun.objects.filter(id=run.id).first()
    if found is None:
        return f"Replay {run.id} was pruned: begin another."
    return why_ended(found) or f"Replay {run.id} is done: begin another."


def why_ended(run: ReplayRun) -> str:
    """Why a run has no places to go on from, and what to do; empty if it has."""
    if run.offsets != NOWHERE:
        return ""
    return f"Replay {run.id} cannot go on. {run.error or 'Its places in the log are gone: begin another'}."


def _note(run: ReplayRun, who: str) -> None:
    OperatorAction.objects.create(
        at=clock.now(),
        who=who[:WHO_CHARACTERS_MAX],
        action=OperatorAction.Action.REPLAY,
        group=run.group,
        event_id=run.event_id,
        key=run.key,
    )


class Replay:
    """One run at work. Two processes may have the same run in hand: they take turns."""

    def __init__(
        self, run: ReplayRun, stop: threading.Event, on_progress: Callable[[ReplayRun], None] = lambda run: None
    ) -> None:
        self.run = run
        self.wanted = _wanted_by(run)
        self._stop = stop
        self._on_progress = on_progress
        self._retry_on_contention = ContentionRetry(stop, LOCK_SECONDS)
        self._in_hand: Record | None = None

    def go(self) -> None:
        """Until it is done, or asked to stop: then the run's state tells that it is not.

        Raises ReplayFailed, and DatabaseError or InterfaceError when the database went away: then the run can be
        resumed as well.
        """
        self.run.refresh_from_db()
        for place in spans_of(self.run):
            began = time.monotonic()
            while not self._stop.is_set() and self._is_on() and self._advance(place):
                self._on_progress(self.run)
                self._stop.wait(RESTS * (time.monotonic() - began))
                began = time.monotonic()
        if not self._stop.is_set():
            running = ReplayRun.objects.filter(id=self.run.id, state=ReplayRun.State.RUNNING)
            with failpoints.atomic("replay.done"):
                running.update(state=ReplayRun.State.DONE, ended_at=clock.now())
        self.run.refresh_from_db()

    def _is_on(self) -> bool:
        """Not failed in another process, nor ended: then it has no places any more."""
        return self.run.state == ReplayRun.State.RUNNING

    def _advance(self, place: TopicPartition) -> bool:
        """A batch in one transaction; one by one when that fails, to keep what came before and name what failed."""
        with unit_of_work():
            try:
                return self._retry_on_contention(self._step, place, self.wanted.group.batch)
            except Exception as error:
                if is_infrastructure_error(error) and not self._is_held_up(error):
                    raise
            for _ in range(self.wanted.group.batch):
                if self._stop.is_set() or not self._alone(place):
                    break
            return True

    def _alone(self, place: TopicPartition) -> bool:
        try:
            return self._retry_on_contention(self._step, place, 1)
        except Exception as error:
            if is_infrastructure_error(error) and not self._is_held_up(error):
                raise
            raise self._retry_on_contention(self._fail, error) from error

    def _is_held_up(self, error: Exception) -> bool:
        """Whether somebody has held for LOCK_SECONDS what the event in hand needs: the run ends there, by name."""
        return is_contention(error) and self._in_hand is not None and not self._stop.is_set()

    def _step(self, place: TopicPartition, records_max: int) -> bool:
        """Whether there may be more. Looks for the records before it locks: a rare key is far to seek."""
        self._in_hand, before = None, spans_of(self.run)[place]
        records = self._records(place, before, records_max)
        with failpoints.atomic("replay.step"):
            groups.lock_progress(self.wanted.group, place)
            run = ReplayRun.objects.select_for_update().get(id=self.run.id)
            if run.state != ReplayRun.State.RUNNING or spans_of(run)[place] != before:  # another process was faster
                self.run.refresh_from_db()
                return run.state == ReplayRun.State.RUNNING
            run.handled += self._handle(run, records)
            reached = records[-1].offset + 1 if records else before[1]
            run.offsets = _written({**spans_of(run), place: (reached, before[1])})
            run.save(update_fields=["offsets", "handled"])
        self.run.offsets, self.run.handled = run.offsets, run.handled
        return bool(records)

    def _handle(self, run: ReplayRun, records: Sequence[Record]) -> int:
        group = self.wanted.group
        known = inbox.known(group.name, [record.event_id for record in records], replay=run.id)
        fresh = [record for record in records if record.event_id not in known]
        for self._in_hand in fresh:
            with replaying():
                with_causation(self._in_hand, group.call, self._in_hand)
        inbox.note(group.name, [record.event_id for record in fresh], replay=run.id)
        return len(fresh)

    def _records(self, place: TopicPartition, between: tuple[int, int], records_max: int) -> list[Record]:
        rows = self.wanted.events({place: between}).order_by("offset")
        return [outbox_offsets.record_of(row) for row in rows[:records_max]]

    def _fail(self, error: Exception) -> ReplayFailed:
        record = self._in_hand
        told = f"{record.type} {record.event_id} (key {record.key}): " if record else ""
        told = printable(f"{told}{type(error).__name__}: {error}")
        with failpoints.atomic("replay.failed"):
            running = ReplayRun.objects.filter(id=self.run.id, state=ReplayRun.State.RUNNING)
            running.update(state=ReplayRun.State.FAILED, ended_at=clock.now(), error=told)
        self.run.refresh_from_db()
        return ReplayFailed(told)


def _wanted_by(run: ReplayRun) -> ReplayFilter:
    return ReplayFilter(
        group=registry.groups[run.group],
        topics={place.topic for place in spans_of(run)},
        since=run.since,
        until=run.until,
        key=run.key,
        event_id=run.event_id,
    )


def spans_of(run: ReplayRun) -> Spans:
    """Where a run is and where it ends, by partition."""
    spans = msgspec.json.decode(run.offsets, type=dict[str, tuple[int, int]])
    return {TopicPartition(name.rpartition("/")[0], int(name.rpartition("/")[2])): span for name, span in spans.items()}


def _written(spans: Spans) -> str:
    return msgspec.json.encode({f"{one.topic}/{one.partition}": span for one, span in spans.items()}).decode()
