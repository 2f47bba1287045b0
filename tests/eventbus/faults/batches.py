"""What would put events into one transaction that need their own, or give each its own for nothing."""

from tests.eventbus.faults.planting import Fault

FAULTS = [
    Fault(
        "one by one for ever",
        "eventbus.worker.Worker._handle",
        "if partition in self._careful or",
        "if True or",
        fails=["a_later_batch_is_one_transaction"],
    ),
    Fault(
        "the first batch whole",
        "eventbus.worker.Worker._join",
        "self._careful = set(progress)",
        "self._careful = set()",
        fails=["after_a_start_each_event_has_a_transaction_of_its_own"],
    ),
    Fault(
        "the least careful handler decides",
        "eventbus.registry.Group.batch",
        "min(",
        "max(",
        fails=["a_handler_that_asks_for_it_has_a_transaction_to_itself"],
    ),
    Fault(
        "a batch takes its time",
        "eventbus.handling.Handling.batch",
        "if time.monotonic() >= until:",
        "if False:",
        fails=["a_batch_that_took_its_time_lets_others_write"],
    ),
]
