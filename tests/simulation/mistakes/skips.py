"""Mistakes with the waiting events that an operator has a group skip."""

from typing import Any

from django.db.models import Max

from eventbus.models import OutboxRow, Progress
from eventbus.repairs import skipping
from eventbus.repairs.skipping import SkipFilter, SkipRefused
from eventbus.selections import skips
from tests.simulation.mistakes.mistake import Promise, Right, mistake


@mistake(
    skipping._discard,
    breaks=Promise.NOTHING_LOST,
    noticed_by=["an_undo_has_all_of_them_handled", "waiting_events_are_skipped_as_counted_and_later_ones_are_handled"],
)
def skipped_events_are_kept_nowhere(right: Right, progress: Progress, *given: Any) -> int:
    return 0


@mistake(
    skipping._refuse_effects, breaks=Promise.EFFECTS, noticed_by=["an_effect_that_may_have_happened_is_not_skipped"]
)
def an_event_is_skipped_during_its_effect(right: Right, *given: Any) -> None: ...


@mistake(
    skipping.lock,
    breaks=Promise.HANDLED_ONCE,
    only="postgresql",
    noticed_by=["a_skip_waits_for_the_handler_that_runs_and_then_leaves_its_event"],
)
def a_skip_does_not_wait_for_the_handler_that_runs(right: Right, group: Any, partitions: Any) -> list[Progress]:
    mine = Progress.objects.filter(group=group.name, partition__in=[one.partition for one in partitions])
    return list(mine.order_by("id"))


@mistake(
    SkipFilter._end,
    breaks=Promise.NOTHING_LOST,
    noticed_by=["a_chosen_partition_is_skipped_up_to_the_offset", "more_than_can_be_undone_at_once_is_done_in_parts"],
)
def a_skip_goes_to_the_end(right: Right, self: SkipFilter, progress: Progress) -> int:
    last = OutboxRow.objects.filter(topic=progress.topic, partition=progress.partition).aggregate(last=Max("offset"))
    return (last["last"] or 0) + 1


@mistake(skips.begin, breaks=Promise.NOTHING_LOST, noticed_by=["a_skip_whose_number_has_changed_is_asked_for_again"])
def a_yes_to_one_number_skips_another(right: Right, *given: Any) -> None:
    try:
        right(*given)
    except SkipRefused:
        right(*given)  # the new number is stored by now, and nobody has seen it
