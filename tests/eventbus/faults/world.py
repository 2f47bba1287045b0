"""What would blame an event for the world, or drop it in a deploy."""

from tests.eventbus.faults.planting import Fault

FAULTS = [
    Fault(
        "contention counted",
        "eventbus.errors.is_contention",
        "if not isinstance(error, OperationalError):",
        "if True:",
        fails=[
            "a_first_attempt_that_meets_another_writer_is_no_failure",
            "a_database_locked_for_longer_than_its_timeout_counts_no_attempt",
        ],
    ),
    Fault(
        "ask the log while writers wait",
        "eventbus.progress.groups.ensure",
        "in begins.items():",
        "in {group.name: _begins(backend, group) for group in wanted}.items():",
        fails=["who_asks_the_log_where_a_group_begins_holds_up_no_writer"],
    ),
    Fault(
        "broken world counted",
        "eventbus.errors.is_outage",
        "if isinstance(error, InterfaceError | LogUnavailable):",
        "if False:",
        fails=[
            "a_database_that_goes_away_counts_no_attempt",
            "a_database_that_goes_away_in_a_retry_counts_no_attempt",
        ],
        also=[("eventbus.errors.is_outage", "isinstance(error, OperationalError)", "False")],
    ),
    Fault(
        "a broken world is a death",
        "eventbus.consuming.worker.Worker.let_go",
        "self._forgive = self._forgive or self._owned.begun",
        "self._forgive = False",
        fails=["leaving_while_the_database_is_away_is_no_death"],
    ),
    Fault(
        "forget what others left behind before anything is begun",
        "eventbus.consuming.worker.Worker.let_go",
        "self._owned.begun",
        "bool(self._owned.epochs)",
        fails=["a_world_that_breaks_before_anything_is_begun_forgets_no_death"],
    ),
    Fault(
        "leaving is a death",
        "eventbus.consuming.worker.Worker.close",
        "if self._forgive:",
        "if False:",
        fails=["leaving_while_the_database_is_away_is_no_death"],
    ),
    Fault(
        "no crash limit",
        "eventbus.consuming.batch.BatchRunner._one",
        "effects.refuse_deadly(self._group, record, progress.crashes)",
        "pass",
        fails=["an_event_that_kills_the_process_three_times_is_set_aside", "only_the_event_that_kills_is_set_aside"],
    ),
    Fault(
        "one death is enough",
        "eventbus.consuming.batch.BatchRunner._one",
        "effects.refuse_deadly(self._group, record, progress.crashes)",
        "effects.refuse_deadly(self._group, record, progress.crashes and effects.CRASHES_MAX)",
        fails=["an_event_that_outlives_two_deaths_is_handled"],
    ),
    Fault(
        "no crash limit for retries",
        "eventbus.consuming.retries.Retries._try",
        "effects.refuse_deadly(self._group, record, key.crashes)",
        "pass",
        fails=["a_retry_that_kills_the_process_three_times_is_set_aside"],
    ),
    Fault(
        "every start is a death",
        "eventbus.progress.groups.take_over",
        'rows.update(epoch=F("epoch") + 1)',
        'rows.update(epoch=F("epoch") + 1, crashes=F("crashes") + 1)',
        fails=["deaths_before_its_turn_are_not_blamed_on_an_event"],
    ),
    Fault(
        "leave at the end of the batch",
        "eventbus.consuming.worker.Worker._one_by_one",
        "while run and not self._stop.is_set() and",
        "while run and",
        fails=["a_worker_asked_to_leave_finishes_what_is_in_hand_and_no_more"],
    ),
    Fault(
        "leave when the key is free",
        "eventbus.consuming.due_work.DueWork.retry_due",
        " and not self._stop.is_set()",
        "",
        fails=["a_worker_asked_to_leave_tries_no_further_event_of_a_parked_key"],
    ),
]
