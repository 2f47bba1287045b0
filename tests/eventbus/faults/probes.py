"""What would keep a circuit breaker open, or make of a probe more than a probe."""

from tests.eventbus.faults.planting import Fault

FAULTS = [
    Fault(
        "probe the oldest for ever",
        "eventbus.consuming.worker.Worker._probe",
        "breaker.probed_key = head[0]",
        "pass",
        fails=["a_poison_event_at_the_front_does_not_keep_it_open"],
    ),
    Fault(
        "probe parked keys alone",
        "eventbus.consuming.worker.Worker._probe",
        "return self._probe_log(consumer)",
        "return 0",
        fails=[
            "where_all_parked_keys_are_dead_the_next_event_of_the_log_is_tried",
            "a_probe_of_the_log_lets_the_events_of_dead_keys_wait",
        ],
    ),
    Fault(
        "count a probe of the log as an attempt",
        "eventbus.consuming.batch.BatchRunner.probe",
        "self._retry_on_contention(self._leave, partition, record, error)",
        "self._retry_on_contention(self._park, partition, record, error)",
        fails=["where_all_parked_keys_are_dead_the_next_event_of_the_log_is_tried"],
    ),
    Fault(
        "leave a failed probe in doubt",
        "eventbus.consuming.retries.Retries._leave",
        "self._owned.unclaim(record)",
        "pass",
        fails=["an_effects_failed_probe_leaves_nothing_in_doubt"],
        also=[("eventbus.consuming.batch.BatchRunner._leave", "self._owned.unclaim(record)", "pass")],
    ),
    Fault(
        "take a doubt for a failure where a probe leaves an event",
        "eventbus.consuming.batch.BatchRunner._leave",
        "if not isinstance(error, OutcomeUnknown | CrashedRepeatedly):",
        "if True:",
        fails=["an_effect_in_doubt_for_which_there_is_no_room_is_not_asked_again"],
    ),
    Fault(
        "take a doubt for a failure where a probe leaves a parked event",
        "eventbus.consuming.retries.Retries._leave",
        "if not isinstance(error, OutcomeUnknown | CrashedRepeatedly):",
        "if True:",
        fails=[
            "what_a_probe_left_in_doubt_is_not_asked_again_and_keeps_no_brake_closed",
            "an_effect_that_kills_the_process_is_probed_no_more_often_than_an_event_may_crash",
        ],
    ),
    Fault(
        "probe what is in doubt for ever",
        "eventbus.consuming.batch.BatchRunner.probe",
        "if isinstance(error, OutcomeUnknown):",
        "if False:",
        fails=["what_a_probe_left_in_doubt_is_not_asked_again_and_keeps_no_brake_closed"],
    ),
    Fault(
        "set aside what is in doubt, and lose what was before it",
        "eventbus.consuming.batch.BatchRunner._set_aside",
        'self._retry_on_contention(self.batch, partition, ahead, unless="", passing=True) if ahead else 0',
        "len(ahead)",
        fails=["an_event_in_doubt_that_is_set_aside_takes_nothing_with_it"],
    ),
    Fault(
        "forget the deaths of a probe",
        "eventbus.consuming.batch.BatchRunner._leave",
        "if not isinstance(error, CrashedRepeatedly):",
        "if True:",
        fails=["a_probe_that_killed_the_process_too_often_is_not_tried_again"],
    ),
    Fault(
        "park without limit",
        "eventbus.failures.parking.is_full",
        "return ",
        "return False and ",
        fails=["it_closes_when_too_many_keys_are_parked", "no_more_are_parked_whatever_opens_it"],
    ),
    Fault(
        "park one more at each look",
        "eventbus.failures.parking.park",
        "if is_full(group.name):",
        "if False:",
        fails=["no_more_are_parked_whatever_opens_it"],
    ),
    Fault(
        "obey nobody while braked",
        "eventbus.consuming.worker.Worker._stand_still",
        "return self._due_work.apply_requests() + self._probe(consumer)",
        "return self._probe(consumer)",
        fails=["an_operators_requeue_is_a_probe_too"],
    ),
    Fault(
        "count a probe of a parked key as an attempt",
        "eventbus.consuming.retries.Retries.probe",
        "self._leave",
        "self._failed",
        fails=["while_it_is_closed_nothing_moves_and_no_attempt_is_counted"],
    ),
]
