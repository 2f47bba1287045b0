"""What would let a partition's former owner write."""

from tests.eventbus.faults.planting import Fault

TAKEN_OVER = "a_worker_whose_partition_was_taken_over_writes_nothing"
PARKED = "a_worker_whose_parked_key_was_taken_over_writes_nothing"
ASKING = "a_worker_whose_partition_is_taken_over_while_it_asks_writes_nothing"
BEFORE_IT_ASKS = "a_worker_whose_partition_was_taken_over_before_it_asks_asks_nobody"


def unchecked(what: str, place: str, case: str) -> Fault:
    """The progress row is locked, whoever owns it."""
    group = "self.group" if place.startswith("eventbus.consuming.worker.") else "self._group"
    return Fault(
        f"no epoch check {what}",
        place,
        "self._owned.lock(partition",
        f"groups.lock_progress({group}, partition",
        fails=[case],
    )


FAULTS = [
    Fault(
        "no epoch check",
        "eventbus.progress.groups.lock",
        "if row.epoch != epoch:",
        "if False:",
        fails=[TAKEN_OVER, PARKED, ASKING, BEFORE_IT_ASKS],
    ),
    unchecked("before a batch is announced", "eventbus.consuming.batch.BatchRunner.announce", TAKEN_OVER),
    unchecked("in a batch", "eventbus.consuming.batch.BatchRunner.batch", TAKEN_OVER),
    unchecked("before an event alone", "eventbus.consuming.batch.BatchRunner._begin", TAKEN_OVER),
    unchecked("in an event alone", "eventbus.consuming.batch.BatchRunner._one", TAKEN_OVER),
    unchecked("where a key is parked", "eventbus.consuming.batch.BatchRunner._park", ASKING),
    unchecked("where a probe leaves an event", "eventbus.consuming.batch.BatchRunner._leave", ASKING),
    unchecked("before a retry", "eventbus.consuming.retries.Retries._begin", PARKED),
    unchecked("in a retry", "eventbus.consuming.retries.Retries._drain", ASKING),
    unchecked("where a retry failed", "eventbus.consuming.retries.Retries._failed", ASKING),
    unchecked("where a probe leaves a parked event", "eventbus.consuming.retries.Retries._leave", ASKING),
    unchecked("where an operator is obeyed", "eventbus.consuming.due_work.DueWork._apply", PARKED),
    Fault(
        "no epoch check before an effect is asked for",
        "eventbus.consuming.ownership.Ownership._claim",
        "self.lock(partition)",
        "groups.lock_progress(self.group, partition)",
        fails=[BEFORE_IT_ASKS],
    ),
    Fault(
        "take another's claim for ours",
        "eventbus.failures.effects.claim",
        "row.claimed_at == ours",
        "ours",
        fails=["what_the_next_owner_died_in_is_in_doubt_for_who_had_begun_to_claim_it"],
    ),
    Fault(
        "take over with the former owner's epoch",
        "eventbus.progress.groups.take_over",
        'F("epoch") + 1',
        'F("epoch")',
        fails=[TAKEN_OVER, PARKED, ASKING, BEFORE_IT_ASKS],
    ),
    Fault(
        "free a key that has no head any more",
        "eventbus.consuming.retries.Retries._try",
        "known = bool(self._group.of(record))",
        "if not key.events.exists():\n    key.delete()\n    return\nknown = bool(self._group.of(record))",
        fails=["a_key_whose_head_the_next_owner_has_buried_stays_parked"],
    ),
]
