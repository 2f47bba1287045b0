"""What would let a failure spread, or vanish."""

from tests.eventbus.faults.planting import Fault

FAULTS = [
    Fault(
        "swallow the handler's error",
        "eventbus.registry.Group.call",
        "handler.call(open_event(record, handler.event_type))",
        "try:\n    handler.call(open_event(record, handler.event_type))\nexcept Exception:\n    pass",
        fails=[
            "a_poison_event_parks_its_key_while_the_others_flow_and_resumes_in_order",
            "a_handler_that_is_too_early_waits_for_what_it_needs",
        ],
    ),
    Fault(
        "no retry",
        "eventbus.registry.Handler.gives_up",
        "attempts >= self.attempts",
        "True",
        fails=[
            "a_handler_that_fails_once_is_retried_and_handles_once",
            "a_handler_that_is_too_early_waits_for_what_it_needs",
        ],
    ),
    Fault(
        "no backoff",
        "eventbus.registry.Handler.backoff_seconds",
        "return random",
        "return 0.0 * random",
        fails=["a_handler_that_fails_once_is_retried_and_handles_once"],
    ),
    Fault(
        "backoff without limit",
        "eventbus.registry.Handler.backoff_seconds",
        "min(longest, ",
        "max(longest, ",
        fails=["each_handler_says_how_patient_it_is"],
    ),
    Fault(
        "park one key for all topics",
        "eventbus.failures.parking.parked_keys",
        "topic=topic, ",
        "",
        fails=["topics_never_wait_for_one_another"],
        also=[("eventbus.failures.parking.parked_keys", "_WAITING.", "_WAITING.replace('topic = %b', \"%b <> ''\").")],
    ),
    Fault(
        "park one key for all groups",
        "eventbus.failures.parking.parked_keys",
        "group=group, ",
        "",
        fails=["one_group_failing_does_not_disturb_another"],
        also=[
            ("eventbus.failures.parking.parked_keys", "_WAITING.", "_WAITING.replace('\"group\" = %b', \"%b <> ''\").")
        ],
    ),
    Fault(
        "skip parks",
        "eventbus.failures.parking.park",
        'policy.on_dead == "skip"',
        "False",
        fails=["where_order_does_not_matter_a_dead_event_is_skipped"],
    ),
    Fault(
        "permanent is what we say",
        "eventbus.registry.Handler.gives_up",
        "(Permanent, *self.permanent)",
        "Permanent",
        fails=["what_a_handler_calls_permanent_is_dead_at_once"],
    ),
    Fault(
        "attempts of the head before",
        "eventbus.failures.parking.go_on",
        "ParkedKey.State.RETRYING, 0, 0, False",
        "ParkedKey.State.RETRYING, key.attempts, 0, False",
        fails=["the_next_event_of_a_key_has_attempts_of_its_own"],
    ),
    Fault(
        "contention not tried again",
        "eventbus.database.contention.ContentionRetry.__call__",
        "if not is_contention(error) or",
        "if True or",
        fails=[
            "a_retry_that_meets_another_writer_is_no_failure",
            "a_discard_that_meets_another_writer_stays_a_discard",
            "a_dead_letter_that_meets_another_writer_tells_all_the_same",
            "an_answer_whose_recording_meets_another_writer_is_not_asked_for_again",
        ],
    ),
    Fault(
        "retry others' keys",
        "eventbus.consuming.due_work.DueWork.retrying",
        "filter(mine, group",
        "filter(group",
        fails=["keys_parked_in_others_partitions_keep_none_of_ours_waiting"],
    ),
    Fault(
        "handle what nobody here knows",
        "eventbus.consuming.retries.Retries._drain",
        "if self._group.of(record):",
        "if True:",
        fails=["an_event_that_nobody_handles_any_more_leaves_its_key"],
    ),
    Fault(
        "blame the next for what came after the one before",
        "eventbus.consuming.retries.Retries._running",
        "running=True",
        "",
        fails=["an_error_after_a_parked_event_was_handled_is_not_blamed_on_the_next"],
    ),
    Fault(
        "try a parked key until it is free",
        "eventbus.consuming.due_work.DueWork.retry_due",
        "tried < PARKED_AT_ONCE and clock.monotonic() < until and ",
        "",
        fails=[
            "a_long_queue_behind_a_parked_key_lets_others_have_their_turn",
            "slow_retries_let_new_events_have_their_turn",
        ],
    ),
    Fault(
        "count retries, but not their time",
        "eventbus.consuming.due_work.DueWork.retry_due",
        "clock.monotonic() < until and ",
        "",
        fails=["slow_retries_let_new_events_have_their_turn"],
    ),
    Fault(
        "wait for the next look though more is due",
        "eventbus.consuming.due_work.DueWork.retry_due",
        "return tried",
        "return 0",
        fails=["slow_retries_let_new_events_have_their_turn"],
    ),
    Fault(
        "let a long queue keep its place before other keys",
        "eventbus.failures.parking.go_on",
        'key.error, key.due_at = "", clock.now()',
        'key.error = ""',
        fails=["a_long_queue_behind_a_parked_key_lets_others_have_their_turn"],
    ),
]
