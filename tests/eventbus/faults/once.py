"""What would handle an event twice, or by halves."""

from tests.eventbus.faults.planting import Fault

FAULTS = [
    Fault(
        "forget the inbox",
        "eventbus.progress.inbox.note",
        "now = sql.time_value(connection, clock.now())",
        "return",
        fails=["a_log_that_comes_again_is_handled_once"],
    ),
    Fault(
        "pass over what the inbox holds already",
        "eventbus.progress.inbox.note",
        "execute(connection, statement,",
        'execute(connection, statement + " WHERE true ON CONFLICT DO NOTHING",',
        fails=[
            "what_was_handled_after_a_worker_had_looked_is_not_handled_again",
            "what_was_handled_while_it_was_parked_is_not_handled_again",
        ],
    ),
    Fault(
        "forget what is parked",
        "eventbus.progress.inbox.known",
        "_found(_KNOWN,",
        "_found(_KNOWN.replace('_parkedevent WHERE', '_parkedevent WHERE 1 = 0 AND'),",
        fails=["a_log_that_comes_again_finds_what_is_parked"],
    ),
    Fault(
        "forget what is dead",
        "eventbus.progress.inbox.known",
        "_found(_KNOWN,",
        "_found(_KNOWN.replace('_deadletter WHERE', '_deadletter WHERE 1 = 0 AND'),",
        fails=["a_log_that_comes_again_finds_what_is_dead"],
    ),
    Fault(
        "believe that a batch repeats nothing",
        "eventbus.consuming.batch.BatchRunner._sorting",
        "seen.add(record.event_id.int)",
        "pass",
        fails=["an_event_that_comes_twice_in_one_batch_is_handled_once"],
    ),
    Fault(
        "only the first handler of a group",
        "eventbus.registry.Group.call",
        "in self.of(record):",
        "in self.of(record)[:1]:",
        fails=["two_handlers_of_a_group_both_handle_an_event_or_neither"],
    ),
    Fault(
        "pass over what fails in a batch",
        "eventbus.consuming.batch.BatchRunner.batch",
        "self._owned.act(record, None)",
        "try:\n    self._owned.act(record, None)\nexcept ValueError:\n    pass",
        fails=["a_batch_that_fails_in_the_middle_is_handled_one_by_one"],
    ),
    Fault(
        "take over without the lease",
        "eventbus.progress.groups.take_over",
        "fence()",
        "pass",
        fails=["a_worker_whose_lease_was_lost_takes_nothing_over"],
    ),
]
