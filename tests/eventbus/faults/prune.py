"""What would take away too much, too little, or lose count."""

from tests.eventbus.faults.planting import Fault

# The delivery audit's own guard: whoever prunes too much is stopped there as well.
UNGUARDED = (
    "eventbus.operations.pruning._totals",
    "if lost or not 0 <= ignored <= reader.ignored - reader.pruned_ignored:",
    "if False:",
)

FAULTS = [
    Fault(
        "take what a slow group needs",
        "eventbus.operations.pruning._needed_from",
        "*(reader.offset for reader in readers), ",
        "",
        fails=["what_some_group_has_not_passed_stays", "a_group_that_left_the_code_holds_back_until_it_is_closed"],
        also=[UNGUARDED],
    ),
    Fault(
        "take what a group needs that does not know the partition yet",
        "eventbus.operations.pruning._needed_from",
        " or Progress.objects.filter(topic=place.topic).exclude(group__in=here).exists()",
        "",
        fails=["a_group_that_has_not_begun_in_a_partition_holds_it_back"],
    ),
    Fault(
        "let a group hold back every topic",
        "eventbus.operations.pruning._at",
        "topic=place.topic, ",
        "",
        fails=["a_slow_group_holds_back_its_topic_only"],
    ),
    Fault(
        "take the newest of a partition",
        "eventbus.operations.pruning._needed_from",
        "int(newest)",
        "int(newest) + 1",
        fails=["offsets_go_on_growing_after_everything_went_and_a_restart"],
        also=[
            (
                "eventbus.backends.memory.MemoryBackend._place",
                "max(outbox_offsets.passed(*partition), *_ends_in_table([partition]).values())",
                "_ends_in_table([partition])[partition]",
            )
        ],
    ),
    Fault(
        "take what is parked",
        "eventbus.operations.pruning._settled",
        "held = set(",
        "held = set() and set(",
        fails=["what_is_parked_or_dead_stays_and_can_be_handled_later"],
        also=[UNGUARDED],
    ),
    Fault(
        "take what is dead",
        "eventbus.operations.pruning._settled",
        "held |= set(",
        "held |= set() and set(",
        fails=[
            "what_is_parked_or_dead_stays_and_can_be_handled_later",
            "what_is_skipped_stays_until_somebody_has_decided",
        ],
    ),
    Fault(
        "take what is young",
        "eventbus.operations.pruning.Pruning._old",
        "event.appended_at < self._before",
        "True",
        fails=["what_is_younger_than_the_window_stays"],
    ),
    Fault(
        "take the youngest first",
        "eventbus.operations.pruning.Pruning._old",
        '.order_by("offset")',
        '.order_by("-offset")',
        fails=["many_batches_take_the_oldest_first"],
    ),
    Fault(
        "forget the totals of what went",
        "eventbus.operations.pruning.Pruning._take",
        "if not self._dry_run:",
        "if False:",
        fails=[
            "what_every_group_has_passed_goes_and_the_ledger_still_says_all",
            "it_balances_while_a_busy_site_is_pruned",
        ],
    ),
    Fault(
        "prune without a transaction",
        "eventbus.operations.pruning.Pruning._events",
        'failpoints.atomic("prune")',
        '__import__("contextlib").nullcontext()',
        fails=["a_death_in_the_middle_takes_nothing_and_the_next_run_all"],
    ),
    Fault(
        "forget in the inbox, and keep in the log",
        "eventbus.operations.pruning.Pruning._take",
        "events=self._remove(OutboxRow.objects.filter(id__in=[event.id for event in gone]))",
        "events=len(gone)",
        fails=["what_went_cannot_come_again_though_the_inbox_has_forgotten_it"],
    ),
    Fault(
        "keep effects for ever",
        "eventbus.operations.pruning.Pruning._take",
        "effects=self._remove(Effect.objects.filter(group__in=everybody, event_id__in=ids))",
        "effects=0",
        fails=["effects_that_are_done_go_with_their_event"],
    ),
    Fault(
        "take in a dry run",
        "eventbus.operations.pruning.Pruning._remove",
        "if self._dry_run:",
        "if False:",
        fails=["a_dry_run_counts_and_takes_nothing"],
    ),
    Fault(
        "take what could show why the delivery audit does not balance",
        *UNGUARDED,
        fails=["where_the_ledger_does_not_balance_nothing_is_taken"],
    ),
    Fault(
        "take what a replay is still to show",
        "eventbus.operations.pruning._needed_from",
        ", *replayed",
        "",
        fails=["what_a_replay_has_not_reached_stays"],
    ),
    Fault(
        "take the rows of a replay that has just ended",
        "eventbus.operations.pruning.Pruning._ended",
        "ended_at__lt=self._before",
        "ended_at__isnull=False",
        fails=["replays_that_ended_go_with_their_rows"],
    ),
    Fault(
        "take a replay that was resumed meanwhile",
        "eventbus.operations.pruning.Pruning._replay",
        "if self._ended().select_for_update().filter(id=run.pk).first() is None:",
        "if False:",
        fails=["a_run_that_is_resumed_while_it_is_pruned_goes_on"],
    ),
    Fault(
        "say that the log has everything",
        "eventbus.repairs.replay_filter.reach_of",
        "if rows.count() < end:",
        "if False:",
        fails=["a_replay_is_told_how_far_the_log_reaches_back"],
    ),
    Fault(
        "close a group under its workers",
        "eventbus.repairs.group_removal._refuse_in_code",
        "if group is not None",
        "if False",
        fails=["a_group_is_not_closed_under_its_own_workers"],
    ),
    Fault(
        "close a group over what waits",
        "eventbus.repairs.group_removal._close",
        "if closed.parked + closed.dead + closed.lost and not force:",
        "if False:",
        fails=["a_group_is_not_closed_over_what_waits_unless_that_is_said"],
    ),
    Fault(
        "close all topics of a group",
        "eventbus.repairs.group_removal._close",
        "Q(group=name, topic=topic) if topic else ",
        "",
        fails=["one_topic_of_a_group_is_closed_and_the_others_stay"],
    ),
    Fault(
        "let a replay of a topic that was closed hold back for ever",
        "eventbus.repairs.group_removal._close",
        "if topic:  # ",
        "if False:  # ",
        fails=["a_replay_that_was_left_goes_no_further_once_its_topic_is_closed"],
    ),
    Fault(
        "leave behind what a closed group had handled",
        "eventbus.repairs.group_removal._forget_handled",
        "for table in (InboxRow, Effect):",
        "for table in ():",
        fails=["closing_that_ended_in_the_middle_is_taken_up_again"],
    ),
    Fault(
        "never prune by itself",
        "eventbus.processes.pruning_schedule.PruningSchedule._round",
        "hours=settings.EVENTBUS_RETENTION_HOURS",
        "days=settings.EVENTBUS_RETENTION_HOURS",
        fails=["the_one_that_dispatches_keeps_the_house"],
    ),
    Fault(
        "prune beside the one that dispatches",
        "eventbus.processes.pruning_schedule.PruningSchedule._round",
        "fence=self._fence, ",
        "",
        fails=["one_that_lost_its_lease_prunes_no_more"],
    ),
    Fault(
        "give up when the world breaks",
        "eventbus.processes.pruning_schedule.PruningSchedule.run",
        "except Exception as error:",
        "except Exception as error:\n    return",
        fails=["a_world_that_breaks_while_it_prunes_is_waited_for"],
    ),
]
