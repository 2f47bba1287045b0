"""Mistakes with what operators do: discard, replay, redeliver, prune, close a group."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
from django.db.models import F, Max, QuerySet

from eventbus import events
from eventbus.audit import passed_events
from eventbus.failures import dead_letter_requests
from eventbus.models import OutboxRow, ParkedEvent, Progress, ReplayRun
from eventbus.operations import pruning
from eventbus.processes.pruning_schedule import PruningSchedule
from eventbus.processes.replay_schedule import ReplaySchedule
from eventbus.progress import inbox
from eventbus.repairs import dry_runs, failing_replays, group_removal
from eventbus.repairs.replay import Replay
from eventbus.repairs.replay_filter import ReplayRefused
from tests.simulation.mistakes.mistake import Promise, Right, mistake

LATER = timedelta(days=1)


# --- dead letters --------------------------------------------------------------------------------------------------


@mistake(
    dead_letter_requests._discard_behind,
    breaks=Promise.NOTHING_LOST,
    noticed_by=["a_key_is_discarded_with_all_that_waits_behind_it"],
)
def events_behind_a_discarded_one_are_not_kept(right: Right, head: Any, behind: Sequence[Any], progress: Any) -> None:
    ParkedEvent.objects.filter(id__in=[event.pk for event in behind]).delete()


# --- replay --------------------------------------------------------------------------------------------------------


@mistake(
    Replay._handle,
    breaks=Promise.REPLAY,
    noticed_by=["past_events_come_again_in_order_and_live_progress_stays"],
)
def a_replay_moves_live_progress(right: Right, self: Replay, run: Any, records: Any) -> int:
    Progress.objects.filter(group=run.group).update(handled=F("handled") + len(records))
    return right(self, run, records)


@mistake(
    events.in_replay,
    breaks=Promise.REPLAY,
    noticed_by=["a_handler_that_publishes_in_a_replay_fails_and_tells_nothing"],
)
def a_handler_publishes_in_a_replay(right: Right) -> bool:
    return False


@mistake(
    inbox.note,
    breaks=Promise.REPLAY,
    noticed_by=["a_run_whose_offset_was_lost_handles_nothing_twice_and_another_run_does"],
)
def a_replay_has_no_inbox(right: Right, *given: Any, replay: int = inbox.LIVE) -> None:
    if replay == inbox.LIVE:
        right(*given)


# --- a replay from the pages: its dry run, and its operator ---------------------------------------------------------


@mistake(
    dry_runs._count,
    breaks=Promise.REPLAY,
    noticed_by=["each_partition_is_counted_and_handled_as_counted", "a_number_that_has_changed_is_asked_for_again"],
)
def a_dry_run_counts_parked_events_too(right: Right, *given: Any) -> list[Any]:
    return [msgspec.structs.replace(one, events=one.events + one.left_out, left_out=0) for one in right(*given)]


@mistake(dry_runs.begin, breaks=Promise.REPLAY, noticed_by=["a_number_that_has_changed_is_asked_for_again"])
def a_yes_to_one_number_begins_with_another(right: Right, *given: Any) -> None:
    try:
        right(*given)
    except ReplayRefused:
        right(*given)  # the new number is stored by now, and nobody has seen it


@mistake(
    dry_runs.begin,
    breaks=Promise.REPLAY,
    noticed_by=["only_who_saw_the_numbers_lets_it_begin_and_once"],
)
def anybody_says_yes_to_a_replay(right: Right, run: ReplayRun, who: str) -> None:
    right(run, run.who)


@mistake(
    ReplaySchedule.__init__,
    breaks=Promise.REPLAY,
    noticed_by=[
        "a_stopped_run_keeps_what_it_did_and_goes_on",
        "a_process_that_lost_its_lease_leaves_the_run_to_another",
    ],
)
def a_replay_goes_on_without_the_lease(right: Right, self: ReplaySchedule, stop: Any, fence: Any) -> None:
    right(self, stop, lambda: None)


@mistake(
    ReplaySchedule._takes_up,
    breaks=Promise.REPLAY,
    noticed_by=["an_event_that_ends_each_process_ends_the_run_and_not_every_process"],
)
def a_replay_ends_one_process_after_the_other(right: Right, *given: Any) -> bool:
    return True


@mistake(
    failing_replays._failing,
    breaks=Promise.VISIBLE,
    noticed_by=[
        "a_failed_run_is_told_until_it_goes_on_or_is_given_up",
        "a_run_that_nobody_carries_out_is_told_and_one_that_waits_for_it_is_not",
        "a_run_of_a_command_that_was_killed_is_told_and_goes_on_from_its_page",
        "a_lost_log_fails_only_the_runs_that_were_running",
    ],
)
def nobody_is_told_of_a_failed_replay(right: Right) -> list[Any]:
    return []


# --- redelivery ----------------------------------------------------------------------------------------------------


@mistake(passed_events.lost, breaks=Promise.HANDLED_ONCE, noticed_by=["what_a_group_handled_is_redelivered_to_nobody"])
def handled_events_are_redelivered(right: Right, progress: Progress) -> QuerySet[OutboxRow]:
    return passed_events.of(progress)


# --- pruning -------------------------------------------------------------------------------------------------------


@mistake(pruning._needed_from, breaks=Promise.RETENTION, noticed_by=["what_some_group_has_not_passed_stays"])
def events_are_pruned_that_a_slow_group_needs(right: Right, place: Any, readers: list[Progress]) -> int:
    """The group that is farthest decides, and the others are not counted."""
    farthest = max(reader.offset for reader in readers)
    readers[:] = [reader for reader in readers if reader.offset == farthest]
    appended = OutboxRow.objects.filter(topic=place.topic, partition=place.partition)
    return min(farthest, int(appended.aggregate(newest=Max("offset"))["newest"]))


@mistake(pruning._replays_begun, breaks=Promise.RETENTION, noticed_by=["what_a_replay_has_not_reached_stays"])
def events_are_pruned_that_a_replay_needs(right: Right) -> list[Any]:
    return []


@mistake(PruningSchedule.__init__, breaks=Promise.RETENTION, noticed_by=["one_that_lost_its_lease_prunes_no_more"])
def pruning_goes_on_without_the_lease(right: Right, self: PruningSchedule, stop: Any, fence: Any) -> None:
    right(self, stop, lambda: None)


@mistake(
    group_removal._refuse_in_code,
    breaks=Promise.NOTHING_LOST,
    noticed_by=["a_group_is_not_closed_under_its_own_workers"],
)
def a_group_is_closed_under_its_workers(right: Right, *given: Any) -> None: ...
