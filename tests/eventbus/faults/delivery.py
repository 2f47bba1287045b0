"""What would lose an event, or invent one."""

from tests.eventbus.faults.planting import Fault

FAULTS = [
    Fault(
        "deliver a rolled-back event",
        "eventbus.outbox.insert",
        "inserts.insert(connection, sealed, ordered=ordered)",
        "inserts.insert(connection, sealed, ordered=ordered)\nconnection.connection.commit()",
        fails=["what_is_rolled_back_is_never_heard_of"],
    ),
    Fault(
        "acknowledge before handling",
        "eventbus.handling.Handling._one",
        "self._owned.act(record, note)",
        "connection.on_commit(lambda: self._owned.act(record, note))",
        fails=["a_handler_that_fails_once_is_retried_and_handles_once"],
    ),
]
