"""What would handle an event twice."""

from tests.eventbus.faults.planting import Fault

FAULTS = [
    Fault(
        "forget the inbox",
        "eventbus.inbox.note",
        "InboxRow.objects.bulk_create(",
        "list(",
        fails=["a_log_that_comes_again_is_handled_once"],
    ),
]
