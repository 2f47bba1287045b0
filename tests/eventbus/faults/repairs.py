"""What would let a repair balance the books, and handle nothing."""

from tests.eventbus.faults.planting import Fault

FAULTS = [
    Fault(
        "note as handled what is redelivered",
        "eventbus.repairs.redelivery._park",
        "parking.wait_at_end(key, outbox_offsets.record_of(row))",
        '__import__("eventbus.progress.inbox").inbox.note(progress.group, [row.event_id])\n'
        "Progress.objects.filter(id=progress.pk).update(handled=F('handled') + 1)\nkey.delete()",
        fails=[
            "what_is_lost_is_redelivered_and_handled",
            "what_is_redelivered_waits_behind_what_waits_for_its_key",
            "what_a_release_did_not_know_is_counted_shown_and_handled_by_the_next",
            "what_was_known_and_not_handled_is_shown_once_there_is_a_handler",
        ],
    ),
    Fault(
        "redeliver on a dry run",
        "eventbus.repairs.redelivery.count",
        "rows = _all(name, types, lost)",
        "rows = []\nreturn redeliver(name, types=types, lost=lost, who='')",
        fails=["a_dry_run_counts_what_is_lost_and_it_stays_lost"],
    ),
    Fault(
        "redeliver what was handled",
        "eventbus.audit.passed_events.lost",
        "return OutboxRow.objects.none()",
        "return of(progress)",
        fails=["what_a_group_handled_is_redelivered_to_nobody"],
    ),
    Fault(
        "count as ignored what is handled after all",
        "eventbus.repairs.redelivery._some",
        'ignored=F("ignored") - ignored',
        'ignored=F("ignored")',
        fails=[
            "what_a_release_did_not_know_is_counted_shown_and_handled_by_the_next",
            "what_was_known_and_not_handled_is_shown_once_there_is_a_handler",
        ],
    ),
    Fault(
        "say nothing of a type that the release does not know",
        "eventbus.consuming.ignored_types.note",
        "if not record.ours or is_known(record.type):",
        "if True:",
        fails=[
            "what_a_release_did_not_know_is_counted_shown_and_handled_by_the_next",
            "an_operator_who_says_that_they_need_not_be_handled_is_told_no_more",
            "a_parked_event_that_an_older_release_lets_go_is_counted_too",
        ],
    ),
    Fault(
        "cry about what is left to others",
        "eventbus.consuming.ignored_types.status",
        "if one.handles or not is_known(one.type)",
        "if True",
        fails=["a_type_that_a_group_leaves_to_others_is_no_matter_for_it"],
    ),
    Fault(
        "say nothing of what was ignored before",
        "eventbus.audit.delivery_audit._earlier",
        "if group is not None and tally.nowhere == tally.ignored_with_rows:",
        "if False:",
        fails=["what_was_known_and_not_handled_is_shown_once_there_is_a_handler"],
    ),
    Fault(
        "take any line",
        "eventbus.console.redelivery._refuse_wrong_line",
        "if text:",
        "if False:",
        fails=["a_wrong_line_says_what_to_type"],
    ),
]
