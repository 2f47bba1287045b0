"""What would make two of one, or none."""

from tests.eventbus.faults.planting import Fault

FAULTS = [
    Fault(
        "take the lease for ever",
        "eventbus.database.leases.Lease._silent",
        "return self._silence >= self._seconds",
        "return False",
        fails=["a_dead_owners_lease_is_taken_over_and_the_dead_one_cannot_come_back"],
    ),
    Fault(
        "let a dead owner come back",
        "eventbus.database.leases.Lease.check",
        ", owner=self.owner, epoch=self.epoch",
        "",
        fails=["a_dead_owners_lease_is_taken_over_and_the_dead_one_cannot_come_back"],
    ),
    Fault(
        "a beat is no sign of life",
        "eventbus.database.leases.Lease._silent",
        "if self._seen == (owner, beat):",
        "if self._seen is not None:",
        fails=["an_owner_who_beats_keeps_its_lease", "a_beat_in_between_starts_the_silence_anew"],
    ),
    Fault(
        "take one's own pause for the owner's death",
        "eventbus.database.leases.Lease._silent",
        "min(now - self._looked_at, self._seconds / LOOKS_MIN)",
        "now - self._looked_at",
        fails=["a_standby_that_was_held_up_takes_nothing_from_an_owner_held_up_by_the_same_lock"],
    ),
    Fault(
        "count little of a silence",
        "eventbus.database.leases.Lease._silent",
        "self._seconds / LOOKS_MIN",
        "self._seconds / LOOKS_MIN / 10",
        fails=["a_dispatcher_that_dies_right_after_a_beat_is_followed_in_time"],
    ),
    Fault(
        "leave without giving it up",
        "eventbus.database.leases.Lease.release",
        '.update(owner="")',
        ".exists()",
        fails=["a_lease_that_was_left_is_free_at_once"],
    ),
]
