"""Replay a range of the log to a group's projections, for example after a bug in one was fixed.

A run has a row, with its own offsets. It locks the group's progress as live handling does, so the two never meet in a
partition. The group's live progress and counts stay as they are. Only events that the group has passed are replayed: it
handles the others live. Parked and dead events are left out.
"""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

import msgspec
from django.db import connection

from eventbus import clock, failpoints, registry
from eventbus.backends import outbox_offsets
from eventbus.backends.base import TopicPartition
from eventbus.consuming import batch
from eventbus.consuming.thread_liveness import Pulse
from eventbus.database import sql
from eventbus.database.contention import ContentionRetry
from eventbus.database.storable_text import printable
from eventbus.database.unit_of_work import unit_of_work
from eventbus.envelope_texts import traceparent_of
from eventbus.errors import BusError, HandlerTimeout, is_contention, is_infrastructure_error
from eventbus.events import Record, replaying, with_causation
from eventbus.models import WHO_CHARACTERS_MAX, OperatorAction, ReplayRun
from eventbus.progress import groups, inbox
from eventbus.progress.replay_runs import NOWHERE
from eventbus.repairs.replay_filter import Preview, ReplayFilter, ReplayRefused, Spans, count
from eventbus.tracing import switch

RESTS = 1.0  # a pause is as long as the work before it: live handling goes first, and SQLite has only one writer
REST_SECONDS_MAX = 60.0  # after a handler that took longer: a run that rests is not stuck
LOCK_SECONDS = 30.0  # the longest wait for a locked row: it holds up the run, and live handling with it
PULSE_SECONDS = 300.0  # the longest round without a handler: two waits for a row, a query for a rare key, and a rest


class ReplayFailed(BusError):
    """A handler failed. The run stands before that event, and can be resumed."""


def begin(wanted: ReplayFilter, who: str) -> tuple[ReplayRun, Preview]:
    """Store a new run with its end offsets. Return it with its preview.

    Raises ReplayRefused if there is nothing to replay.
    """
    with failpoints.atomic("replay.begin"):
        spans = wanted.spans()
        counted = count(wanted, spans)  # in these spans only: not what the group has passed since they were read
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
            moved_at=clock.now(),
            offsets=written(spans),
            matched=counted.matched,
        )
        note(run, who)
    return run, counted


def resume(run: ReplayRun, who: str) -> None:
    """Let a run that failed or was stopped go on from its offsets. Raises ReplayRefused."""
    with failpoints.atomic("replay.resume"):
        never = (ReplayRun.State.DONE, ReplayRun.State.FROZEN)
        unfinished = ReplayRun.objects.filter(id=run.id).exclude(state__in=never)
        resumed = {"ended_at": None, "error": "", "moved_at": clock.now(), "crashes": 0}
        if not unfinished.exclude(offsets=NOWHERE).update(state=ReplayRun.State.RUNNING, **resumed):
            raise ReplayRefused(_why_refused(run))
        note(run, who)
    run.refresh_from_db()


def _why_refused(run: ReplayRun) -> str:
    found = ReplayRun.objects.filter(id=run.id).first()
    if found is None:
        return f"Replay {run.id} was pruned: begin another."
    if found.state == ReplayRun.State.FROZEN:
        return f"Replay {run.id} has not begun: {found.who} has not said yes on its page."
    return why_ended(found) or f"Replay {run.id} is done: begin another."


def why_ended(run: ReplayRun) -> str:
    """Return why a run was ended for good, with the remedy; empty if it has offsets to go on from."""
    if run.offsets != NOWHERE:
        return ""
    return f"Replay {run.id} cannot go on. {run.error or 'Its offsets in the log are gone: begin another'}."


def note(run: ReplayRun, who: str, *, count: int = 1) -> None:
    """Record in the audit trail that an operator lets a run begin or go on. `count`: the events to handle."""
    OperatorAction.objects.create(
        at=clock.now(),
        who=who[:WHO_CHARACTERS_MAX],
        action=OperatorAction.Action.REPLAY,
        group=run.group,
        event_id=run.event_id,
        key=run.key,
        count=count,
        replay=run.pk,
    )


def fail(run: ReplayRun, why: str) -> None:
    """Store that a running run has failed, and why. It can be resumed."""
    with failpoints.atomic("replay.failed"):
        running = ReplayRun.objects.filter(id=run.id, state=ReplayRun.State.RUNNING)
        running.update(state=ReplayRun.State.FAILED, ended_at=clock.now(), error=why)
    run.refresh_from_db()


class Replay:
    """The work on one run. If two processes work on the same run, they take turns."""

    def __init__(
        self, run: ReplayRun, stop: threading.Event, on_progress: Callable[[ReplayRun], None] = lambda run: None
    ) -> None:
        self.run = run
        self.wanted = wanted_by(run)
        self._stop = stop
        self._on_progress = on_progress
        self._retry_on_contention = ContentionRetry(stop, LOCK_SECONDS)
        self._in_hand: Record | None = None
        self._pulse = Pulse(f"Replay {run.pk} of group {run.group}", PULSE_SECONDS)

    def go(self) -> None:
        """Replay until the run is done, or until `stop` is set: then the run's state is still RUNNING.

        Raises ReplayFailed if a handler fails, and DatabaseError or InterfaceError if the database is unavailable. In
        both cases the run can be resumed.
        """
        with self._pulse.alive():
            self.run.refresh_from_db()
            for partition in spans_of(self.run):
                began = time.monotonic()
                while not self._stop.is_set() and self._is_on() and self._advance(partition):
                    self._pulse.beat()
                    self._on_progress(self.run)
                    self._stop.wait(min(RESTS * (time.monotonic() - began), REST_SECONDS_MAX))
                    began = time.monotonic()
            if not self._stop.is_set():
                self._end()
            self.run.refresh_from_db()

    def _end(self) -> None:
        """Store that the run is done. A run that was stopped and resumed meanwhile still has events to handle."""
        with failpoints.atomic("replay.done"):
            running = ReplayRun.objects.select_for_update().filter(id=self.run.id, state=ReplayRun.State.RUNNING)
            run = running.first()
            if run is not None and all(reached >= end for reached, end in spans_of(run).values()):
                running.update(state=ReplayRun.State.DONE, ended_at=clock.now())

    def _is_on(self) -> bool:
        """Return True while the run is running.

        Another process may have failed in it, or ended it because its offsets are gone.
        """
        return self.run.state == ReplayRun.State.RUNNING

    def _advance(self, partition: TopicPartition) -> bool:
        """Replay a batch in one transaction.

        If that fails, go one by one, to keep what succeeds and to name what fails.
        """
        with unit_of_work():
            try:
                return self._retry_on_contention(self._step, partition, self.wanted.group.batch)
            except Exception as error:
                if is_infrastructure_error(error) and not self._is_held_up(error):
                    raise
            for _ in range(self.wanted.group.batch):
                if self._stop.is_set() or not self._alone(partition):
                    break
            return True

    def _alone(self, partition: TopicPartition) -> bool:
        try:
            return self._retry_on_contention(self._step, partition, 1)
        except Exception as error:
            if is_infrastructure_error(error) and not self._is_held_up(error):
                raise
            raise self._retry_on_contention(self._fail, error) from error

    def _is_held_up(self, error: Exception) -> bool:
        """Return True if another session held the event's rows for LOCK_SECONDS.

        Then the run fails, and names the event.
        """
        return is_contention(error) and self._in_hand is not None and not self._stop.is_set()

    def _step(self, partition: TopicPartition, records_max: int) -> bool:
        """Replay some records. Return True if there may be more.

        The records are read before the progress is locked, because it takes long to find a rare key.
        """
        self._in_hand, before = None, spans_of(self.run)[partition]
        records = self._records(partition, before, records_max)
        with failpoints.atomic("replay.step"):
            groups.lock_progress(self.wanted.group, partition)
            run = ReplayRun.objects.select_for_update().get(id=self.run.id)
            if run.state != ReplayRun.State.RUNNING or spans_of(run)[partition] != before:  # another process was faster
                self.run.refresh_from_db()
                return run.state == ReplayRun.State.RUNNING
            handled, reached = self._handle(run, records) if records else (0, before[1])
            run.handled += handled
            run.offsets = written({**spans_of(run), partition: (reached, before[1])})
            run.moved_at, run.crashes = clock.now(), 0 if handled else run.crashes
            run.save(update_fields=["offsets", "handled", "moved_at", "crashes"])
        self.run.offsets, self.run.handled = run.offsets, run.handled
        return bool(records)

    def _handle(self, run: ReplayRun, records: Sequence[Record]) -> tuple[int, int]:
        """Handle as many records as fit into BATCH_SECONDS. Return their number, and the offset after the last one."""
        known = inbox.known(run.group, [record.event_id for record in records], replay=run.id)
        until, fresh, reached = clock.monotonic() + batch.BATCH_SECONDS[connection.vendor], [], 0
        for record in records:
            if record.event_id not in known:
                self._call(record)
                fresh.append(record.event_id)
            reached = record.offset + 1
            if clock.monotonic() >= until:
                break
        inbox.note(run.group, fresh, replay=run.id)
        return len(fresh), reached

    def _call(self, record: Record) -> None:
        """Run a record's handlers. Raises HandlerTimeout as a worker does, and what the handlers raise."""
        self._in_hand, group = record, self.wanted.group
        limit = group.seconds_for(record)
        until = clock.monotonic() + limit
        self._pulse.begins(record, limit, sql.interrupting(connection))
        try:
            with replaying(), _traced(group.name, record):
                with_causation(record, group.call, record)
        finally:
            self._pulse.beat()
        if clock.monotonic() > until:
            raise HandlerTimeout(f"It took over {limit:g} s, which is what its handlers say (seconds=...)")

    def _records(self, partition: TopicPartition, between: tuple[int, int], records_max: int) -> list[Record]:
        rows = self.wanted.events({partition: between}).order_by("offset")
        return [outbox_offsets.record_of(row) for row in rows[:records_max]]

    def _fail(self, error: Exception) -> ReplayFailed:
        record = self._in_hand
        told = f"{record.type} {record.event_id} (key {record.key}): " if record else ""
        told = printable(f"{told}{type(error).__name__}: {error}")
        fail(self.run, told)
        return ReplayFailed(told)


def _traced(group: str, record: Record) -> AbstractContextManager[None]:
    if switch.active is None:
        return nullcontext()
    return switch.active.replaying(group, record.topic, record.type, traceparent_of(record.headers))


def wanted_by(run: ReplayRun) -> ReplayFilter:
    """Return the filter that a run began with. Raises ReplayRefused if its group may not be replayed any more."""
    if run.group not in registry.groups:
        raise ReplayRefused(f"Group {run.group} is not in the code: nobody would handle anything. Deploy it first.")
    return ReplayFilter(
        group=registry.groups[run.group],
        topics={partition.topic for partition in spans_of(run)},
        since=run.since,
        until=run.until,
        key=run.key,
        event_id=run.event_id,
    )


def spans_of(run: ReplayRun) -> Spans:
    """Return a run's next offset and its end, by partition."""
    spans = msgspec.json.decode(run.offsets, type=dict[str, tuple[int, int]])
    return {TopicPartition(name.rpartition("/")[0], int(name.rpartition("/")[2])): span for name, span in spans.items()}


def written(spans: Spans) -> str:
    """Return spans as they are stored in a run."""
    return msgspec.json.encode({f"{one.topic}/{one.partition}": span for one, span in spans.items()}).decode()
