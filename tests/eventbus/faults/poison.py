"""What would wait for ever for an event that breaks its own world, or blame one for a world that is broken for all."""

from tests.eventbus.faults.planting import Fault

ALONE_PARKED = [
    "poison_side_by_side_holds_up_none_behind_it",
    "parked_keys_whose_heads_break_the_world_hold_up_no_other",
    "who_breaks_the_world_again_and_again_with_nobody_else_there_is_blamed",
]
ALONE = [
    *ALONE_PARKED,
    "what_breaks_the_world_for_one_event_alone_parks_its_key",
    "an_effect_that_breaks_the_world_for_one_event_alone_parks_its_key",
]

FAULTS = [
    Fault(
        "wait for the world, whoever breaks it",
        "eventbus.failures.poison_suspicion.Suspicion.met",
        "now = clock.monotonic()",
        "return Verdict.EXCUSED",
        fails=[*ALONE, "a_service_that_is_away_for_one_event_and_answers_others_is_not_away"],
    ),
    Fault(
        "set nobody aside without proof",
        "eventbus.failures.poison_suspicion.Suspicion.met",
        "slow or met.tries >= TRIES_MIN",
        "False",
        fails=["poison_side_by_side_holds_up_none_behind_it"],
    ),
    Fault(
        "blame an event for a world that is broken for all",
        "eventbus.failures.poison_suspicion.Suspicion.met",
        "self.answered > met.others or self._is_alone(met, now)",
        "True",
        fails=["a_world_that_is_broken_for_all_is_waited_for"],
    ),
    Fault(
        "count what is only suspected",
        "eventbus.consuming.batch.BatchRunner.single",
        "attempts=0",
        "attempts=1",
        fails=["a_world_that_is_broken_for_all_is_waited_for", "a_database_that_goes_away_counts_no_attempt"],
    ),
    Fault(
        "blame who is alone at once",
        "eventbus.failures.poison_suspicion.Suspicion._is_alone",
        "met.tries < ALONE_TRIES or now - met.since < ALONE_SECONDS",
        "False",
        fails=["who_breaks_the_world_again_and_again_with_nobody_else_there_is_blamed"],
    ),
    Fault(
        "never blame who is alone",
        "eventbus.failures.poison_suspicion.Suspicion._is_alone",
        "met.tries < ALONE_TRIES or",
        "True or",
        fails=["who_breaks_the_world_again_and_again_with_nobody_else_there_is_blamed"],
    ),
    Fault(
        "try suspects before all others",
        "eventbus.consuming.due_work.DueWork.retry_due",
        ".exclude(id__in=list(self._owned.suspects))",
        "",
        fails=["parked_keys_whose_heads_break_the_world_hold_up_no_other"],
    ),
    Fault(
        "never try a suspect again",
        "eventbus.consuming.worker.Worker._flow",
        "if self._owned.suspects:",
        "if False:",
        fails=[*ALONE_PARKED, "a_world_that_is_broken_for_all_is_waited_for"],
    ),
    Fault(
        "wait for a stranger's lock for ever",
        "eventbus.database.contention.ContentionRetry.__call__",
        "time.monotonic() >= until",
        "False",
        fails=["what_breaks_the_world_for_one_event_alone_parks_its_key"],
    ),
    Fault(
        "a service is away for all",
        "eventbus.failures.poison_suspicion.Suspicion.met",
        "met.passed_by >= AWAY_TRIES",
        "False",
        fails=["a_service_that_is_away_for_one_event_and_answers_others_is_not_away"],
    ),
]
