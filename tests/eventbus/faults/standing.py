"""What would let a call take for ever, or a group stand without a word."""

from tests.eventbus.faults.planting import Fault

FAULTS = [
    Fault(
        "a call may take for ever",
        "eventbus.consuming.ownership.Ownership.act",
        "if clock.monotonic() > until:",
        "if False:",
        fails=["an_event_whose_handler_takes_longer_than_it_says_is_set_aside"],
    ),
    Fault(
        "one limit for all",
        "eventbus.registry.Group.seconds_for",
        "handler.seconds",
        "HANDLER_SECONDS",
        fails=["a_handler_may_take_as_long_as_it_says"],
    ),
    Fault(
        "an effect's answer comes too late",
        "eventbus.consuming.ownership.Ownership._begins",
        "return clock.monotonic() + limit",
        "return self._begun_at + limit",
        fails=["an_effect_that_took_long_is_recorded_all_the_same"],
    ),
    Fault(
        "nobody stands",
        "eventbus.operations.standstill.standing",
        "since is not None and",
        "False and",
        fails=["a_group_that_does_not_move_is_named_with_how_long_it_has_stood"],
    ),
    Fault(
        "stand as long as what is next has waited",
        "eventbus.operations.standstill._since",
        "max(filter(None, (arrived, row.moved_at)))",
        "arrived",
        fails=["a_group_that_moves_is_not_named_however_long_what_comes_next_has_waited"],
    ),
    Fault(
        "stand though nothing has come",
        "eventbus.operations.standstill._since",
        "max(filter(None, (arrived, row.moved_at)))",
        "row.moved_at",
        fails=["a_group_that_does_not_move_is_named_with_how_long_it_has_stood"],
    ),
    Fault(
        "name who was told to stand",
        "eventbus.operations.standstill.standing",
        "row.group in still",
        "False",
        fails=["a_group_that_was_told_to_stand_is_not_named_for_it"],
    ),
    Fault(
        "as long for every group",
        "eventbus.operations.standstill.seconds_max",
        "if known else STANDS_SECONDS",
        "if False else STANDS_SECONDS",
        fails=["who_may_take_longer_may_stand_for_longer"],
    ),
    Fault(
        "timers have time",
        "eventbus.operations.standstill.problems",
        "if late:",
        "if False:",
        fails=["timers_that_nobody_publishes_are_told_of"],
    ),
]
