"""What would make a replay more than a second look."""

from tests.eventbus.faults.planting import Fault

FAULTS = [
    Fault(
        "handle a replayed event as if it were live",
        "eventbus.replay.Replay._handle",
        "for record in fresh], replay=run.id",
        "for record in fresh]",
        fails=["past_events_come_again_in_order_and_live_progress_stays"],
    ),
    Fault(
        "take live handling for a replay's",
        "eventbus.inbox.known",
        "_found(_KNOWN",
        "_found(_KNOWN.replace('replay = %b', 'replay >= 0 * %b')",
        fails=[
            "past_events_come_again_in_order_and_live_progress_stays",
            "a_replay_does_not_stand_for_live_handling",
        ],
    ),
    Fault(
        "keep no inbox for a replay",
        "eventbus.replay.Replay._handle",
        "inbox.note(group.name, [record.event_id for record in fresh], replay=run.id)",
        "pass",
        fails=["a_run_whose_position_was_lost_handles_nothing_twice_and_another_run_does"],
    ),
    Fault(
        "move live progress in a replay",
        "eventbus.replay.Replay._step",
        "groups.hold(self.wanted.group, place)",
        "live = groups.hold(self.wanted.group, place)\nlive.handled += len(records)\nlive.save()",
        fails=["past_events_come_again_in_order_and_live_progress_stays", "what_is_pending_comes_live_and_only_so"],
    ),
    Fault(
        "replay what is pending",
        "eventbus.past.Wanted.spans",
        "row.position)",
        "row.position + 1)",
        fails=["what_is_pending_comes_live_and_only_so"],
    ),
    Fault(
        "let a replay publish",
        "eventbus.outbox.publish",
        "if in_replay():",
        "if False:",
        fails=["a_handler_that_publishes_in_a_replay_fails_and_tells_nothing"],
    ),
    Fault(
        "replay what acts",
        "eventbus.past.Wanted.__post_init__",
        "if once:",
        "if False:",
        fails=["a_group_with_other_handlers_is_refused_and_told_why"],
    ),
    Fault(
        "replay what is parked",
        "eventbus.inbox.known",
        "_found(_KNOWN, [group, replay, ids, group, ids, group, ids])",
        "_found(_KNOWN.partition('UNION')[0], [group, replay, ids])",
        fails=["what_is_parked_or_dead_is_left_out_and_counted_apart"],
    ),
    Fault(
        "take no lock for a replay",
        "eventbus.replay.Replay._step",
        "groups.hold(self.wanted.group, place)",
        "pass",
        fails=["live_handling_waits_while_the_replay_has_its_partition_in_hand"],
        only="postgresql",
    ),
    Fault(
        "pass over a batch whose handler failed",
        "eventbus.replay.Replay._alone",
        "raise self._patiently(self._fail, error) from error",
        "return True",
        fails=["a_failure_ends_the_run_before_that_event_and_names_it"],
    ),
    Fault(
        "take contention for a failure",
        "eventbus.replay.Replay._advance",
        "self._patiently(self._step, place, self.wanted.group.batch)",
        "self._step(place, self.wanted.group.batch)",
        fails=["contention_is_no_failure"],
    ),
]
