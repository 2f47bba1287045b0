"""What would let a process go on with what a restored database has forgotten."""

from tests.eventbus.faults.planting import Fault

FAULTS = [
    Fault(
        "forget how far a group was",
        "eventbus.consuming.ownership.Ownership.lock",
        "if row.offset < (reached := self.reached.get(partition, 0)):",
        "if row.offset < (reached := 0):",
        fails=["a_group_that_went_back_leaves_nothing_out"],
    ),
    Fault(
        "forget the lease's beat",
        "eventbus.database.leases.Lease.refuse_earlier",
        "if beat < self._beaten:",
        "if False:",
        fails=["a_relay_that_kept_the_lease_through_a_restore_appends_nothing"],
    ),
    Fault(
        "append while database and log tell of different pasts",
        "eventbus.publishing.relay.Relay.step",
        "if divergence.stands():",
        "if False:",
        fails=["nothing_moves_while_database_and_log_tell_of_different_pasts"],
    ),
]
