"""What would let a failure spread, or vanish."""

from tests.eventbus.faults.planting import Fault

FAULTS = [
    Fault(
        "swallow the handler's error",
        "eventbus.registry.Group.call",
        "handler.call(open_event(record, handler.event_type))",
        "try:\n    handler.call(open_event(record, handler.event_type))\nexcept Exception:\n    pass",
        fails=["a_poison_event_parks_its_key_while_the_others_flow_and_resumes_in_order"],
    ),
    Fault(
        "let a later event of a parked key pass",
        "eventbus.handling.Handling._sorting",
        "if record.key in parked:",
        "if False:",
        fails=["order_holds_through_retries"],
    ),
    Fault(
        "move the offset though the dead letter could not be written",
        "eventbus.parking.bury",
        'letter.error = letter.traceback = ""',
        "return",
        fails=["the_position_waits_when_the_dead_letter_cannot_be_written"],
    ),
]
