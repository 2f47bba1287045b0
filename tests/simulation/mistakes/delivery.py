"""Mistakes that lose events or handle them twice, and those that let two owners work at the same time."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from uuid import UUID

from django.db import transaction

from eventbus import failpoints, registry
from eventbus.backends import current, outbox_offsets
from eventbus.backends.base import TopicPartition
from eventbus.consuming.assignment import Assignment
from eventbus.consuming.batch import BatchRunner
from eventbus.consuming.handler_calls import HandlerCalls
from eventbus.consuming.watching import Watch
from eventbus.database.leases import Lease
from eventbus.declaration.field_types import refuse_wrong_types
from eventbus.models import InboxRow, Progress
from eventbus.progress import group_starts, groups, inbox
from eventbus.progress.partition_epochs import PartitionEpochs
from tests.simulation.mistakes.mistake import Promise, Right, mistake

TAKEN_OVER = (
    "a_worker_whose_partition_was_taken_over_writes_nothing",
    "a_worker_whose_parked_key_was_taken_over_writes_nothing",
    "a_worker_whose_partition_was_taken_over_before_it_asks_asks_nobody",
)
IN_TRANSACTIONS = {"handle.batch", "handle.single"}


# --- lost ----------------------------------------------------------------------------------------------------------


@mistake(
    HandlerCalls.call,
    breaks=Promise.NOTHING_LOST,
    noticed_by=["a_handler_that_fails_once_is_retried_and_handles_once"],
)
def progress_is_stored_before_handling(right: Right, *given: Any) -> None:
    def handle() -> None:
        with transaction.atomic():
            right(*given)

    transaction.on_commit(handle)


@mistake(
    groups.take_over,
    breaks=Promise.NOTHING_LOST,
    noticed_by=["a_process_that_dies_after_appending_loses_nothing"],
)
def a_new_owner_begins_at_the_end_of_the_log(right: Right, *given: Any, **named: Any) -> dict[Any, Progress]:
    """Records that the former owner had fetched count as done."""
    rows = right(*given, **named)
    for partition, row in rows.items():
        row.offset = current().end(partition)
    return rows


@mistake(
    outbox_offsets.first,
    breaks=Promise.NOTHING_LOST,
    noticed_by=["a_new_group_handles_all_that_is_kept_once_and_in_order"],
)
def every_new_group_begins_at_the_end(right: Right, place: TopicPartition) -> int | None:
    return None


@mistake(
    group_starts._forget_closed,
    breaks=Promise.NOTHING_LOST,
    noticed_by=["a_name_that_comes_back_after_a_closing_that_ended_in_the_middle_begins_anew"],
)
def a_group_is_taken_for_the_closed_one_of_its_name(right: Right, *given: Any, **named: Any) -> None:
    pass


@mistake(
    refuse_wrong_types,
    breaks=Promise.NOTHING_LOST,
    noticed_by=[
        "a_value_of_another_type_is_refused_with_its_field",
        "a_wrong_value_is_refused_on_every_way_to_publish",
    ],
)
def a_value_of_any_type_is_published(right: Right, event: Any) -> None:
    """No group can read it."""


@mistake(
    failpoints.atomic,
    breaks=Promise.NOTHING_LOST,
    noticed_by=["a_delayed_event_comes_once_wherever_the_relay_dies"],
)
def a_timer_is_deleted_before_its_event_is_published(right: Right, name: str) -> AbstractContextManager[None]:
    return nullcontext() if name == "timers" else right(name)


@mistake(
    inbox.known,
    breaks=Promise.NOTHING_LOST,
    noticed_by=["what_is_committed_is_heard_by_every_group"],
)
def the_inbox_ignores_the_group(right: Right, group: str, event_ids: Sequence[UUID], **run: Any) -> set[UUID]:
    """An event that one group has handled counts as handled by each other group."""
    return right(group, event_ids, **run).union(*(right(other, event_ids, **run) for other in registry.groups))


# --- twice ---------------------------------------------------------------------------------------------------------


@mistake(inbox.note, breaks=Promise.HANDLED_ONCE, noticed_by=["a_log_that_comes_again_is_handled_once"])
def the_inbox_is_forgotten(right: Right, *given: Any, **run: Any) -> None: ...


@mistake(
    inbox.note,
    breaks=Promise.HANDLED_ONCE,
    noticed_by=["what_was_handled_after_a_worker_had_looked_is_not_handled_again"],
)
def the_inbox_row_is_written_after_the_commit(right: Right, *given: Any, **run: Any) -> None:
    transaction.on_commit(lambda: right(*given, **run))


@mistake(
    inbox.note,
    breaks=Promise.HANDLED_ONCE,
    noticed_by=[
        "what_was_handled_after_a_worker_had_looked_is_not_handled_again",
        "what_was_handled_while_it_was_parked_is_not_handled_again",
    ],
)
def a_repeat_that_the_inbox_refuses_is_ignored(right: Right, group: str, event_ids: Any, **run: Any) -> None:
    asked = list(event_ids)
    there = set(InboxRow.objects.filter(group=group, event_id__in=asked).values_list("event_id", flat=True))
    right(group, [event_id for event_id in asked if event_id not in there], **run)


@mistake(
    failpoints.atomic,
    breaks=Promise.HANDLED_ONCE,
    noticed_by=["what_a_handler_wrote_before_it_failed_was_never_written"],
)
def a_handler_runs_outside_the_transaction(right: Right, name: str) -> AbstractContextManager[None]:
    return nullcontext() if name in IN_TRANSACTIONS else right(name)


@mistake(
    BatchRunner.announce,
    breaks=Promise.HANDLED_ONCE,
    noticed_by=["after_a_death_in_such_a_batch_each_event_has_a_transaction_of_its_own"],
)
def a_batch_is_not_announced(right: Right, *given: Any) -> None: ...


@mistake(
    registry.Group.batch,
    breaks=Promise.HANDLED_ONCE,
    noticed_by=["a_batch_of_quick_events_ends_after_two_hundred"],
)
def a_batch_has_no_end(right: Right, self: registry.Group) -> int:
    return 100 * right(self)


# --- two owners ----------------------------------------------------------------------------------------------------


@mistake(groups.lock, breaks=Promise.HANDLED_ONCE, noticed_by=TAKEN_OVER)
def the_epoch_is_not_checked(right: Right, group: Any, partition: Any, epoch: int, **unless: str) -> Progress:
    return groups.lock_progress(group, partition, **unless)


@mistake(Lease._silent, breaks=Promise.ORDER, noticed_by=["an_owner_who_beats_keeps_its_lease"])
def a_beat_is_no_sign_of_life(right: Right, self: Lease, owner: str, beat: int) -> bool:
    """Names are compared, and no numbers."""
    return right(self, owner, 0)


# --- a restored database, a watch, a deploy ------------------------------------------------------------------------


@mistake(
    PartitionEpochs.lock,
    breaks=Promise.NOTHING_LOST,
    noticed_by=["a_group_that_went_back_leaves_nothing_out"],
)
def a_worker_forgets_how_far_its_group_was(right: Right, self: PartitionEpochs, *given: Any, **unless: str) -> Progress:
    self._reached.clear()
    return right(self, *given, **unless)


@mistake(Watch._run, breaks=Promise.WATCHES, noticed_by=["what_is_told_before_a_watchs_thread_has_begun_is_heard"])
def a_watch_begins_when_its_thread_does(right: Right, self: Watch) -> None:
    for partition in self._consumer.assignment():
        self._consumer.seek(partition, self._backend.end(partition))
    right(self)


@mistake(
    Watch._start_anew,
    breaks=Promise.WATCHES,
    noticed_by=["a_watch_that_stumbles_is_told_to_load_again_and_goes_on"],
)
def a_watch_that_failed_goes_on_with_the_next_event(right: Right, self: Watch) -> None: ...


@mistake(
    Assignment.leave_in_order,
    breaks=Promise.DEPLOYS,
    noticed_by=["a_worker_asked_to_leave_finishes_what_is_in_hand_and_no_more"],
)
def a_worker_that_leaves_skips_what_is_ahead(right: Right, self: Assignment) -> None:
    """All that it had fetched counts as done."""
    for one in self._epochs.owned:
        row = Progress.objects.filter(group=self._group.name, topic=one.topic, partition=one.partition)
        row.update(offset=current().end(one))
    right(self)
