"""What would charge somebody twice, or never."""

from tests.eventbus.faults.planting import Fault

FAULTS = [
    Fault(
        "ask in a transaction",
        "eventbus.consuming.ownership.Ownership.ask",
        "note = self._answers[record.event_id] = with_causation(record, effects.ask, self.group, record)",
        "from django.db import transaction\n"
        "with transaction.atomic():\n"
        "    note = self._answers[record.event_id] = with_causation(record, effects.ask, self.group, record)",
        fails=["an_effect_happens_once_and_its_answer_is_recorded", "an_effect_that_failed_is_no_doubt"],
    ),
    Fault(
        "effects asked twice",
        "eventbus.consuming.ownership.Ownership._claim",
        "not self.is_fresh(record)",
        "False",
        fails=["an_effect_happens_once_and_its_answer_is_recorded"],
    ),
    Fault(
        "an answer that nobody records is recorded",
        "eventbus.failures.effects.ask",
        "if handler.record is not None:",
        "if True:",
        fails=["an_effect_with_no_answer_to_record_happens_once"],
    ),
    Fault(
        "another key with each attempt",
        "eventbus.failures.effects.ask",
        "{group.name}:{record.event_id}",
        "{group.name}:{clock.now()}",
        fails=["an_effect_in_doubt_is_asked_again_with_the_same_key_or_never", "an_effect_that_failed_is_no_doubt"],
    ),
    Fault(
        "on_unknown_outcome ignored",
        "eventbus.failures.effects.claim",
        '.on_unknown_outcome == "never"',
        '.on_unknown_outcome == ""',
        fails=["an_effect_in_doubt_is_asked_again_with_the_same_key_or_never"],
    ),
    Fault(
        "deaths hide a doubt",
        "eventbus.failures.effects.refuse_deadly",
        '.on_unknown_outcome == "never"',
        '.on_unknown_outcome == ""',
        fails=["however_often_the_process_died_a_doubt_is_called_one"],
    ),
    Fault(
        "take deaths for a doubt",
        "eventbus.failures.effects.refuse_deadly",
        "begun.exists()",
        "True",
        fails=["nobody_is_asked_for_an_event_in_which_the_process_died_too_often"],
    ),
    Fault(
        "take what failed before the deaths for a doubt",
        "eventbus.failures.effects.refuse_deadly",
        ", state=Effect.State.SENDING",
        "",
        fails=["what_failed_before_the_process_died_too_often_is_no_doubt"],
    ),
    Fault(
        "take a failure for a doubt",
        "eventbus.consuming.ownership.Ownership.unclaim",
        "effects.close(self.group, record, Effect.State.FAILED)",
        "pass",
        fails=["an_effect_that_failed_is_no_doubt"],
    ),
    Fault(
        "take an answer that could not be recorded for none",
        "eventbus.consuming.ownership.Ownership.unclaim",
        "and record.event_id not in self._answers",
        "",
        fails=["an_answer_that_could_not_be_recorded_and_dies_with_its_process_is_in_doubt"],
    ),
    Fault(
        "forget a claim before it is written down that it failed",
        "eventbus.consuming.ownership.Ownership.unclaim",
        "transaction.on_commit(lambda: self._claimed.pop(record.event_id, None))",
        "self._claimed.pop(record.event_id, None)",
        fails=["an_effect_that_failed_is_no_doubt_though_that_could_not_be_written_down_at_first"],
    ),
    Fault(
        "record the answer after the inbox row",
        "eventbus.consuming.ownership.Ownership.act",
        "with_causation(record, note)",
        "from django.db import transaction\ntransaction.on_commit(note)",
        fails=["an_answer_is_recorded_with_what_is_told_of_it_or_not_at_all"],
    ),
    Fault(
        "ask though the key waits",
        "eventbus.consuming.ownership.Ownership.is_fresh",
        "not parking.parked_keys(name, record.topic, {record.key})",
        "True",
        fails=["an_effect_whose_key_waits_is_not_asked"],
    ),
    Fault(
        "forget the answer in hand",
        "eventbus.consuming.ownership.Ownership.ask",
        "note = self._answers.get(record.event_id)",
        "note = None",
        fails=[
            "an_answer_in_hand_survives_a_database_that_goes_away",
            "an_effect_whose_answer_could_not_be_recorded_is_not_asked_again",
        ],
    ),
    Fault(
        "count what was not asked",
        "eventbus.errors.counts_as_attempt",
        "not isinstance(error, ServiceUnavailable)",
        "True",
        fails=["a_service_that_is_away_costs_an_effect_no_attempt"],
    ),
    Fault(
        "give up on who is away",
        "eventbus.registry.Handler.gives_up",
        "return False",
        "pass",
        fails=["a_service_that_is_away_costs_an_effect_no_attempt"],
        also=[("eventbus.errors.counts_as_attempt", "not isinstance(error, ServiceUnavailable)", "True")],
    ),
    Fault(
        "no crash limit for effects",
        "eventbus.failures.effects.claim",
        "if row.claims >= CRASHES_MAX:",
        "if False:",
        fails=[
            "an_effect_that_kills_the_process_three_times_is_set_aside",
            "an_effect_that_kills_the_process_is_probed_no_more_often_than_an_event_may_crash",
        ],
        also=[
            (
                "eventbus.consuming.ownership.Ownership._claim",
                "effects.refuse_deadly(self.group, record, progress.crashes)",
                "pass",
            )
        ],
    ),
    Fault(
        "remember what was claimed once its commit is answered",
        "eventbus.consuming.ownership.Ownership._claim",
        "self._claimed[record.event_id] = effects",
        "claimed_at = effects",
        fails=["a_claim_whose_commit_nobody_answered_is_no_doubt"],
        also=[
            (
                "eventbus.consuming.ownership.Ownership._claim",
                "return True",
                "self._claimed[record.event_id] = claimed_at\nreturn True",
            )
        ],
    ),
    Fault(
        "ask first, and then look who died",
        "eventbus.consuming.ownership.Ownership._claim",
        "effects.refuse_deadly(self.group, record, progress.crashes)",
        "pass",
        fails=["nobody_is_asked_for_an_event_in_which_the_process_died_too_often"],
    ),
]
