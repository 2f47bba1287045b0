"""What would drain a topic into dead letters, or stop a group that does well."""

from tests.eventbus.faults.planting import Fault

FAULTS = [
    Fault(
        "no brake",
        "eventbus.failures.circuit_breaker.CircuitBreaker.reason",
        "return (",
        'return "" and (',
        fails=[
            "a_handler_that_fails_for_everything_is_stopped_and_handles_all_once_it_is_mended",
            "more_than_half_is_most",
            "its_reason_names_how_many_failed_and_the_last_error",
            "one_stopped_group_does_not_stop_another",
        ],
    ),
    Fault(
        "move on though braked",
        "eventbus.consuming.worker.Worker._stand_still",
        "if found.breaker_opened_at is not None:",
        "if False:",
        fails=["while_it_is_closed_nothing_moves_and_no_attempt_is_counted"],
        also=[
            ("eventbus.progress.groups.lock_progress", "if stopped:", "if False:"),
            ("eventbus.consuming.due_work.DueWork.is_due", "if stopped:", "if False:"),
        ],
    ),
    Fault(
        "no end of the brake",
        "eventbus.failures.circuit_breaker.reset",
        "breaker_opened_at=None",
        "breaker_opened_at=clock.now()",
        fails=[
            "it_opens_within_seconds_after_it_was_mended",
            "a_new_release_is_probed_at_once",
            "an_operator_who_decides_about_them_lets_it_go_on",
        ],
    ),
    Fault(
        "open the brake at a restart",
        "eventbus.consuming.worker.Worker._follow",
        "self._careful |= {",
        "ConsumerGroup.objects.update(breaker_opened_at=None)\nself._careful |= {",
        fails=["an_open_circuit_breaker_stays_open_through_a_restart"],
    ),
    Fault(
        "probe in a rush",
        "eventbus.failures.circuit_breaker.CircuitBreaker.may_probe",
        "return self._probe_at is None or",
        "return True or",
        fails=["probes_come_one_by_one_and_never_in_a_rush"],
    ),
    Fault(
        "remember failures from before it opened",
        "eventbus.failures.circuit_breaker.CircuitBreaker.reset",
        "self._attempts.clear()",
        "pass",
        fails=["what_happened_before_it_opened_is_forgotten"],
    ),
    Fault(
        "brake for a few customers' broken data",
        "eventbus.failures.circuit_breaker.CircuitBreaker.reason",
        "or len(keys) < KEYS_MIN",
        "",
        fails=["a_few_bad_keys_park_and_stop_nobody", "one_poison_key_never_closes_it"],
    ),
    Fault(
        "take half for most",
        "eventbus.failures.circuit_breaker.CircuitBreaker.reason",
        "len(errors) <= WINDOW_ATTEMPTS / 2",
        "len(errors) < WINDOW_ATTEMPTS / 2",
        fails=["half_is_not_most"],
    ),
    Fault(
        "take retries for first attempts",
        "eventbus.failures.circuit_breaker.CircuitBreaker.failed",
        "if not first and record.event_id not in self._early:",
        "if False:",
        fails=["retries_are_no_first_attempts"],
    ),
    Fault(
        "take too early for a failure",
        "eventbus.failures.circuit_breaker.CircuitBreaker.failed",
        "if isinstance(error, RetryLater) and not final:",
        "if False:",
        fails=["events_that_came_too_early_do_not_close_it"],
    ),
    Fault(
        "take too early for no failure ever",
        "eventbus.failures.circuit_breaker.CircuitBreaker.failed",
        "if isinstance(error, RetryLater) and not final:",
        "if isinstance(error, RetryLater):",
        fails=["events_that_died_of_being_too_early_do"],
    ),
    Fault(
        "brake only when all fails",
        "eventbus.failures.circuit_breaker.CircuitBreaker.reason",
        "len(errors) <= WINDOW_ATTEMPTS / 2",
        "len(errors) < len(self._attempts) or len(errors) <= WINDOW_ATTEMPTS / 2",
        fails=["more_than_half_is_most"],
    ),
    Fault(
        "forget who was too early",
        "eventbus.failures.circuit_breaker.CircuitBreaker.failed",
        "self._early.add(record.event_id)",
        "pass",
        fails=["events_that_died_of_being_too_early_do"],
    ),
]
