"""What would make the delivery audit say that all is well, or cry wolf."""

from tests.eventbus.faults.planting import Fault

FAULTS = [
    Fault(
        "count nothing that is ignored",
        "eventbus.consuming.batch.BatchRunner._sorting",
        "progress.ignored += record.ours",
        "pass",
        fails=["each_event_is_counted_in_its_place", "a_release_that_learns_a_type_once_ignored_has_lost_nothing"],
    ),
    Fault(
        "note a discarded event as handled too",
        "eventbus.failures.dead_letter_requests._discard",
        "letter.save(update_fields=",
        '__import__("eventbus.progress.inbox").inbox.note(letter.group, [letter.event_id])\nletter.save(update_fields=',
        fails=["what_is_discarded_is_not_handled_too"],
    ),
    Fault(
        "keep the dead letter of an event that is parked again",
        "eventbus.failures.dead_letter_requests._requeue",
        "letter.delete()",
        'letter.request = ""\nletter.save()',
        fails=["an_event_that_fails_moves_from_place_to_place_and_lies_in_one"],
    ),
    Fault(
        "let a group begin before its time",
        "eventbus.progress.groups.ensure",
        "start=begin",
        "start=0",
        fails=["what_was_said_before_a_group_began_is_not_its_own"],
    ),
    Fault(
        "read the delivery audit a query at a time",
        "eventbus.audit.delivery_audit.snapshot",
        "if connection.in_atomic_block:",
        "if True:",
        fails=["it_balances_while_the_site_is_busy"],
    ),
    Fault(
        "leave out what the relay has not appended",
        "eventbus.audit.delivery_audit._account",
        '"pending": unsent + ',
        '"pending": ',
        fails=["what_waits_for_its_turn_is_pending_before_and_after_the_relay"],
    ),
    Fault(
        "take a timer for an event",
        "eventbus.audit.delivery_audit._by_topic",
        "return dict(rows",
        'timers = __import__("eventbus.models").models.Timer.objects\n'
        'if timers.exists():\n    return {"house": timers.count()}\nreturn dict(rows',
        fails=["a_timer_counts_once_it_is_due"],
    ),
    Fault(
        "take what the log rejected for pending",
        "eventbus.audit.delivery_audit._by_topic",
        'else rows.filter(rejected="")',
        "else rows",
        fails=["what_the_log_rejected_is_counted_apart"],
    ),
    Fault(
        "say nothing of what cannot be decoded",
        "eventbus.audit.delivery_audit._undecodable",
        "error_class=Undecodable.__name__",
        'error_class=""',
        fails=["what_cannot_be_decoded_is_among_the_dead_and_told"],
    ),
    Fault(
        "say nothing of replays",
        "eventbus.audit.delivery_audit._apart",
        "if rows != here:",
        "if False:",
        fails=["a_replay_counts_nothing_twice"],
    ),
    Fault(
        "overlook that an event is in two places",
        "eventbus.audit.delivery_audit._impossible",
        "if places.bit_count() > 1:",
        "if False:",
        fails=["an_event_in_two_places_is_named"],
    ),
    Fault(
        "overlook that a offset was moved back",
        "eventbus.audit.delivery_audit._impossible",
        "elif places and not value & Place.PASSED:",
        "elif False:",
        fails=["a_offset_moved_back_is_named"],
    ),
    Fault(
        "overlook what is lost",
        "eventbus.audit.delivery_audit._violations",
        "if tally.lost > 0:",
        "if False:",
        fails=[
            "an_event_that_was_never_handled_nor_ignored_is_lost",
            "an_event_whose_row_was_lost_is_named",
            "a_offset_moved_forward_is_named",
        ],
    ),
    Fault(
        "believe the counters",
        "eventbus.audit.delivery_audit._violations",
        "if counted != there and",
        "if False and",
        fails=["a_counter_that_says_something_else_than_the_rows_is_named"],
    ),
    Fault(
        "believe that what waits has its event",
        "eventbus.audit.delivery_audit._without_events",
        "yield Violation",
        "if False: yield Violation",
        fails=["a_parked_event_that_was_taken_from_the_outbox_is_named"],
    ),
]
