"""What would make two of one, or none."""

from tests.eventbus.faults.planting import Fault

FAULTS = [
    Fault(
        "take the lease for ever",
        "eventbus.leases.Lease._silent",
        "return self._silence >= self._seconds",
        "return False",
        fails=["a_dead_owners_lease_is_taken_over_and_the_dead_one_cannot_come_back"],
    ),
]
