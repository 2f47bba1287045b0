"""What would handle an event twice."""

from tests.eventbus.faults.planting import Fault

FAULTS = [
    Fault(
        "forget the inbox",
        "eventbus.inbox.note",
        "now = sql.time_value(connection, clock.now())",
        "return",
        fails=["a_log_that_comes_again_is_handled_once"],
    ),
]
