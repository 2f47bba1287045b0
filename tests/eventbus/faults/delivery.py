"""What would keep an event from a group that should have it."""

from tests.eventbus.faults.planting import Fault

FAULTS = [
    Fault(
        "acknowledge before handling",
        "eventbus.consuming.batch.BatchRunner._one",
        "self._owned.act(record, note)",
        "connection.on_commit(lambda: self._owned.act(record, note))",
        fails=[
            "a_handler_that_fails_once_is_retried_and_handles_once",
            "what_a_handler_wrote_before_it_failed_was_never_written",
        ],
    ),
    Fault(
        "one inbox for all groups",
        "eventbus.progress.inbox.known",
        "_found(_KNOWN,",
        "_found(_KNOWN.replace('\"group\" = %b AND replay', \"%b <> '' AND replay\"),",
        fails=["what_is_committed_is_heard_by_every_group"],
    ),
    Fault(
        "begin at the end after a restart",
        "eventbus.consuming.outbox_backfill.Backfill.begin",
        "self._seek(consumer, place, row.offset)",
        "self._seek(consumer, place, self._backend.end(place))",
        fails=["a_process_that_dies_after_appending_loses_nothing"],
    ),
    Fault(
        "a new group begins at the beginning",
        "eventbus.progress.groups._begins",
        "backend.end(one) for one",
        "0 for one",
        fails=["a_new_group_begins_at_the_end", "a_group_that_hears_of_a_new_topic_begins_there_at_its_end"],
    ),
    Fault(
        "unknown types handled",
        "eventbus.consuming.batch.BatchRunner._sorting",
        "if not self._group.of(record):",
        "if False:",
        fails=["what_a_group_does_not_know_is_counted_not_dead"],
    ),
]
