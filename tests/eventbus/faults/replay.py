"""What would make a replay more than a second look."""

from tests.eventbus.faults.planting import Fault

FAULTS = [
    Fault(
        "handle a replayed event as if it were live",
        "eventbus.repairs.replay.Replay._handle",
        "for record in fresh], replay=run.id",
        "for record in fresh]",
        fails=["past_events_come_again_in_order_and_live_progress_stays"],
    ),
    Fault(
        "take live handling for a replay's",
        "eventbus.progress.inbox.known",
        "_found(_KNOWN",
        "_found(_KNOWN.replace('replay = %b', 'replay >= 0 * %b')",
        fails=[
            "past_events_come_again_in_order_and_live_progress_stays",
            "a_replay_does_not_stand_for_live_handling",
        ],
    ),
    Fault(
        "keep no inbox for a replay",
        "eventbus.repairs.replay.Replay._handle",
        "inbox.note(group.name, [record.event_id for record in fresh], replay=run.id)",
        "pass",
        fails=["a_run_whose_offset_was_lost_handles_nothing_twice_and_another_run_does"],
    ),
    Fault(
        "move live progress in a replay",
        "eventbus.repairs.replay.Replay._step",
        "groups.lock_progress(self.wanted.group, place)",
        "live = groups.lock_progress(self.wanted.group, place)\nlive.handled += len(records)\nlive.save()",
        fails=["past_events_come_again_in_order_and_live_progress_stays", "what_is_pending_comes_live_and_only_so"],
    ),
    Fault(
        "replay what is pending",
        "eventbus.repairs.replay_filter.ReplayFilter.spans",
        "row.offset)",
        "row.offset + 1)",
        fails=["what_is_pending_comes_live_and_only_so"],
    ),
    Fault(
        "count for a replay what the group has passed since",
        "eventbus.repairs.replay.begin",
        "count(wanted, spans)",
        "count(wanted)",
        fails=["what_the_group_passes_while_a_run_begins_is_not_counted_for_it"],
    ),
    Fault(
        "let a replay publish",
        "eventbus.publishing.outbox.publish",
        "if in_replay():",
        "if False:",
        fails=["a_handler_that_publishes_in_a_replay_fails_and_tells_nothing"],
    ),
    Fault(
        "replay what acts",
        "eventbus.repairs.replay_filter.ReplayFilter.__post_init__",
        "if once:",
        "if False:",
        fails=["a_group_with_other_handlers_is_refused_and_told_why"],
    ),
    Fault(
        "replay what is parked",
        "eventbus.progress.inbox.known",
        "_found(_KNOWN, [group, replay, ids, group, ids, group, ids])",
        "_found(_KNOWN.partition('UNION')[0], [group, replay, ids])",
        fails=["what_is_parked_or_dead_is_left_out_and_counted_apart"],
    ),
    Fault(
        "take no lock for a replay",
        "eventbus.repairs.replay.Replay._step",
        "groups.lock_progress(self.wanted.group, place)",
        "pass",
        fails=["live_handling_waits_while_the_replay_has_its_partition_in_hand"],
        only="postgresql",
    ),
    Fault(
        "replay until a stranger lets go",
        "eventbus.repairs.replay.Replay._is_held_up",
        "return ",
        "return False and ",
        fails=["a_row_that_somebody_holds_for_long_ends_the_run_before_that_event"],
    ),
    Fault(
        "pass over a batch whose handler failed",
        "eventbus.repairs.replay.Replay._alone",
        "raise self._retry_on_contention(self._fail, error) from error",
        "return True",
        fails=["a_failure_ends_the_run_before_that_event_and_names_it"],
    ),
    Fault(
        "take contention for a failure",
        "eventbus.repairs.replay.Replay._advance",
        "self._retry_on_contention(self._step, place, self.wanted.group.batch)",
        "self._step(place, self.wanted.group.batch)",
        fails=["contention_is_no_failure"],
    ),
    Fault(
        "take a run that was stopped for done",
        "eventbus.repairs.replay.Replay.go",
        "if not self._stop.is_set():",
        "if True:",
        fails=["a_run_that_was_stopped_goes_on_where_it_was"],
    ),
    Fault(
        "resume a run whose places are gone, and find it done",
        "eventbus.repairs.replay.resume",
        ".exclude(offsets=NOWHERE)",
        "",
        fails=["a_run_whose_places_are_gone_does_not_count_as_done_but_is_refused"],
    ),
    Fault(
        "move a run's offset before handling",
        "eventbus.repairs.replay.Replay._step",
        "run.handled += self._handle(run, records)",
        "from django.db import transaction\ntransaction.on_commit(lambda: self._handle(run, records))",
        fails=["a_run_that_was_killed_in_a_batch_goes_on_before_it"],
    ),
    Fault(
        "replay to the end as it is now",
        "eventbus.repairs.replay.Replay._records",
        "{place: between}",
        "{place: (between[0], 10**9)}",
        fails=["a_run_ends_where_the_group_was_when_it_began"],
    ),
    Fault(
        "replay from where the group began",
        "eventbus.repairs.replay_filter.ReplayFilter.spans",
        "(0, row.offset)",
        "(row.start, row.offset)",
        fails=["what_happened_before_the_group_began_is_shown_to_it"],
    ),
    Fault(
        "replay every key",
        "eventbus.repairs.replay_filter.ReplayFilter.events",
        '"key": self.key or None',
        '"key": None',
        fails=["only_what_was_asked_for_comes_again"],
    ),
    Fault(
        "begin a run to count it",
        "eventbus.repairs.replay_filter.count",
        "spans = wanted.spans()",
        "from eventbus import clock, models\n"
        'models.ReplayRun.objects.create(group="house-a", who="", began_at=clock.now())\n'
        "spans = wanted.spans()",
        fails=["counting_writes_nothing_and_calls_nobody"],
    ),
    Fault(
        "say nothing of what was pruned",
        "eventbus.repairs.replay_filter.reach_of",
        "whole = False",
        "whole = True",
        fails=["what_was_pruned_cannot_come_again_and_the_reach_is_told"],
    ),
    Fault(
        "two processes at the same stretch of a run",
        "eventbus.repairs.replay.Replay._step",
        "or spans_of(run)[place] != before:",
        "or False:",
        fails=["two_processes_with_the_same_run_take_turns"],
        also=[
            (
                "eventbus.repairs.replay.Replay._handle",
                "inbox.note(group.name, [record.event_id for record in fresh], replay=run.id)",
                "pass",
            )
        ],
    ),
]
