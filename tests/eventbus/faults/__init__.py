"""Lies that the bus might tell, and the cases of its contract that catch them: a module of faults per module of cases.

`python -m tests.eventbus.faults` plants each and prints the table; `--all` tries every case under every fault.
"""

from tests.eventbus.faults import (
    delivery,
    leases,
    ledger,
    once,
    order,
    parking,
    prune,
    replay,
    world,
)
from tests.eventbus.faults.planting import Fault

FAULTS: list[Fault] = [
    *delivery.FAULTS,
    *once.FAULTS,
    *order.FAULTS,
    *parking.FAULTS,
    *replay.FAULTS,
    *world.FAULTS,
    *leases.FAULTS,
    *ledger.FAULTS,
    *prune.FAULTS,
]
