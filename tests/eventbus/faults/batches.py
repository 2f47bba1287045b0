"""What would put events into one transaction that need their own, or give each its own for nothing."""

from tests.eventbus.faults.planting import Fault

FAULTS = [
    Fault(
        "one by one for ever",
        "eventbus.consuming.worker.Worker._handle",
        "if partition in self._suspected or",
        "if True or",
        fails=["a_later_batch_is_one_transaction"],
    ),
    Fault(
        "begin the first batch unseen",
        "eventbus.consuming.worker.Worker._follow",
        "self._careful |= {partition for partition, row in progress.items() if row.released != row.epoch - 1}",
        "pass",
        fails=["after_a_start_a_batch_is_one_transaction_and_written_down_before"],
    ),
    Fault(
        "trust a batch that killed",
        "eventbus.consuming.worker.Worker._follow",
        "self._suspected |= {partition for partition, row in progress.items() if row.running_event or row.crashes}",
        "pass",
        fails=["after_a_death_in_such_a_batch_each_event_has_a_transaction_of_its_own"],
    ),
    Fault(
        "trust a batch that breaks the world",
        "eventbus.consuming.worker.Worker._handle",
        "self._suspected.add(partition)",
        "pass",
        fails=["a_batch_that_breaks_the_world_is_handled_one_by_one"],
    ),
    Fault(
        "blame the first of a batch",
        "eventbus.consuming.batch.BatchRunner._begin",
        "if progress.running_event == record.event_id:",
        "if progress.running_event in (None, record.event_id):",
        fails=["a_death_in_a_batch_is_blamed_on_none_of_its_events"],
    ),
    Fault(
        "distrust who left in order",
        "eventbus.consuming.worker.Worker.run",
        "self._release()",
        "pass",
        fails=["after_an_orderly_end_a_batch_is_one_transaction"],
    ),
    Fault(
        "vouch for what was never handled",
        "eventbus.consuming.worker.Worker._trusted",
        "if one not in self._careful | self._suspected",
        "if True",
        fails=["who_leaves_before_the_first_batch_does_not_vouch_for_it"],
    ),
    Fault(
        "erase what others left behind",
        "eventbus.consuming.worker.Worker.let_go",
        "self._forgive or self._owned.begun",
        "True",
        fails=["a_world_that_breaks_before_anything_is_owned_erases_no_death"],
    ),
    Fault(
        "begin what was had before",
        "eventbus.consuming.worker.Worker._one_by_one",
        "self._handling.had(records) if announced and len(records) > 1 else set()",
        "set()",
        fails=["what_comes_again_is_passed_over_in_one_go"],
    ),
    Fault(
        "the least careful handler decides",
        "eventbus.registry.Group.batch",
        "min(",
        "max(",
        fails=["a_handler_that_asks_for_it_has_a_transaction_to_itself"],
    ),
    Fault(
        "a batch of twenty thousand",
        "eventbus.registry.Group.batch",
        "handler.batch for",
        "20_000 if handler.batch == BATCH_EVENTS else handler.batch for",
        fails=["a_batch_of_quick_events_ends_after_two_hundred"],
    ),
    Fault(
        "a batch of twenty seconds",
        "eventbus.consuming.batch.BatchRunner.batch",
        "BATCH_SECONDS[connection.vendor]",
        "20.0",
        fails=["a_batch_of_slow_events_ends_when_its_time_is_over"],
    ),
    Fault(
        "a batch takes its time",
        "eventbus.consuming.batch.BatchRunner.batch",
        "if clock.monotonic() >= until:",
        "if False:",
        fails=[
            "a_batch_that_took_its_time_lets_others_write",
            "a_batch_of_slow_events_ends_when_its_time_is_over",
        ],
    ),
    Fault(
        "fetch the rest of a batch again",
        "eventbus.consuming.worker.Worker._passed",
        "self._fetched = self._fetched[count:]",
        "rest, self._fetched = self._fetched[count:], []\n"
        "if rest:\n    self._consumer.seek(TopicPartition(rest[0].topic, rest[0].partition), rest[0].offset)",
        fails=["what_is_left_of_a_batch_follows_without_being_fetched_again"],
    ),
    Fault(
        "sort what a batch does not come to",
        "eventbus.consuming.batch.BatchRunner.batch",
        "is_fresh = self._sorting(progress, records)",
        "sort = self._sorting(progress, records)\n"
        "is_fresh = {record.offset: sort(record) for record in records}.__getitem__\n"
        "is_fresh = (lambda sorted: lambda record: sorted(record.offset))(is_fresh)",
        fails=["what_a_batch_did_not_come_to_is_counted_once"],
    ),
]
