"""What would lose what failed for good, or what an operator needs to know."""

from tests.eventbus.faults.planting import Fault

FAULTS = [
    Fault(
        "move the offset though the dead letter could not be written",
        "eventbus.failures.parking.dead_letter",
        'letter.error = letter.traceback = ""',
        "return",
        fails=[
            "the_offset_waits_when_the_dead_letter_cannot_be_written",
            "where_the_error_cannot_be_written_the_dead_letter_is_written_without",
        ],
    ),
    Fault(
        "no minimal dead letter",
        "eventbus.failures.parking.dead_letter",
        "if is_infrastructure_error(refused):",
        "if True:",
        fails=["where_the_error_cannot_be_written_the_dead_letter_is_written_without"],
    ),
    Fault(
        "attempts not counted",
        "eventbus.consuming.retries.Retries._failed",
        "key.attempts + counts,",
        "key.attempts,",
        fails=["after_the_last_attempt_there_is_a_dead_letter_with_all_one_needs"],
    ),
    Fault(
        "errors as they come",
        "eventbus.database.storable_text.printable",
        'text.replace("\\0", "\\\\0").encode("utf-8", "backslashreplace").decode()',
        "text",
        fails=["after_the_last_attempt_there_is_a_dead_letter_with_all_one_needs"],
    ),
    Fault(
        "errors of any length",
        "eventbus.database.storable_text.printable",
        "return safe if len(safe) <= ERROR_CHARACTERS_MAX else",
        "return safe if True else",
        fails=["a_long_error_keeps_its_ends"],
    ),
    Fault(
        "dead letter cut bytes",
        "eventbus.failures.parking.dead_letter",
        "payload=record.payload",
        "payload=record.payload[:20]",
        fails=[
            "what_cannot_be_decoded_is_kept_byte_for_byte",
            "after_the_last_attempt_there_is_a_dead_letter_with_all_one_needs",
        ],
    ),
    Fault(
        "undecodable lost",
        "eventbus.registry.Group.call",
        "handler.call(open_event(record, handler.event_type))",
        "try:\n    handler.call(open_event(record, handler.event_type))\nexcept Permanent:\n    pass",
        fails=["what_cannot_be_decoded_is_kept_byte_for_byte"],
    ),
    Fault(
        "obey where the wish is made",
        "eventbus.operations.status._request",
        "letter.request = action",
        "DeadLetter.objects.filter(id=letter.pk).delete()",
        fails=["an_operators_wish_waits_for_the_worker"],
    ),
    Fault(
        "discard loses the key",
        "eventbus.failures.dead_letter_requests._discard",
        "if key is not None and letter.parks:",
        "if False:",
        fails=["discard_lets_the_key_go_on_without_it", "a_discard_that_meets_another_writer_stays_a_discard"],
    ),
    Fault(
        "let go of a key with what stood aside",
        "eventbus.failures.dead_letter_requests._discard",
        "if key is not None and letter.parks:",
        "if key is not None:",
        fails=["what_stood_aside_frees_no_key_that_waits_for_another"],
    ),
    Fault(
        "take up a key with what stood aside",
        "eventbus.failures.dead_letter_requests._requeue",
        "if letter.parks or key.state != ParkedKey.State.DEAD:",
        "if True:",
        fails=["what_stood_aside_frees_no_key_that_waits_for_another"],
    ),
    Fault(
        "obey wishes for others' partitions",
        "eventbus.consuming.due_work.DueWork.apply_requests",
        "groups.among(self._owned.epochs), ",
        "",
        fails=["wishes_for_others_partitions_keep_none_of_ours_waiting"],
    ),
]
