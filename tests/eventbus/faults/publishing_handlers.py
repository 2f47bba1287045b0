"""What would add the events of handlers one by one, or more of them than they published."""

from tests.eventbus.faults.planting import Fault

FAULTS = [
    Fault(
        "add an event as soon as a handler publishes it",
        "eventbus.publishing.outbox.publish",
        "elif _gathering.get():",
        "elif False:",
        fails=["what_a_batch_publishes_is_one_statement"],
    ),
    Fault(
        "take the locks of keys in the order of the handlers",
        "eventbus.publishing.outbox.publish",
        "elif _gathering.get():",
        "elif False:",
        fails=["two_groups_that_publish_for_keys_in_unlike_orders_both_commit_at_once"],
        only="postgresql",
    ),
    Fault(
        "add what a handler's savepoint rolled back",
        "eventbus.publishing.outbox.publish",
        "connection.on_commit(_Gathered(sealed, ordered=not unordered))",
        "connection.run_on_commit.append((set(), _Gathered(sealed, ordered=not unordered), False))",
        fails=["a_savepoint_of_a_handler_takes_its_events_along"],
    ),
]
