"""What would not be a pause."""

from tests.eventbus.faults.planting import Fault

FAULTS = [
    Fault(
        "pause nobody",
        "eventbus.consuming.worker.Worker._stand_still",
        "if found.paused_at is not None or divergence.stands():",
        "if False:",
        fails=[
            "nothing_moves_until_it_is_resumed",
            "no_retry_runs",
            "a_group_with_an_open_circuit_breaker_that_is_paused_is_not_probed",
            "a_pause_in_the_middle_lets_what_is_in_hand_finish_and_no_more",
        ],
        also=[
            ("eventbus.progress.groups.lock_progress", "if stopped:", "if False:"),
            ("eventbus.consuming.due_work.DueWork.is_due", "if stopped:", "if False:"),
        ],
    ),
    Fault(
        "pause in the middle of what is in hand",
        "eventbus.consuming.batch.BatchRunner._one",
        "self._finish(progress, records, fresh)",
        "self._owned.lock(partition, unless=PAUSED)\nself._finish(progress, records, fresh)",
        fails=["a_pause_in_the_middle_lets_what_is_in_hand_finish_and_no_more"],
    ),
    Fault(
        "see a pause only when there is nothing in hand",
        "eventbus.progress.groups.lock_progress",
        "if stopped:",
        "if False:",
        fails=["a_pause_in_the_middle_lets_what_is_in_hand_finish_and_no_more"],
    ),
    Fault(
        "resume with what was seen before",
        "eventbus.consuming.worker.Worker._stand_still",
        "self._owned.breaker.reset()",
        "pass",
        fails=["resuming_closes_a_circuit_breaker_which_then_judges_anew"],
    ),
    Fault(
        "see a standstill only when something comes",
        "eventbus.consuming.due_work.DueWork.is_due",
        "if stopped:",
        "if False:",
        fails=[
            "resuming_a_brake_that_was_closed_by_the_last_event_lets_it_judge_anew",
            "resuming_a_brake_that_another_process_closed_lets_it_judge_anew",
        ],
    ),
]
