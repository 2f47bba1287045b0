"""What would tell a key's events in another order."""

from tests.eventbus.faults.planting import Fault

FAULTS = [
    Fault(
        "drop the key",
        "eventbus.backends.memory.MemoryBackend._place",
        "row.key",
        "str(row.id)",
        fails=["each_key_is_heard_in_the_order_it_was_told"],
    ),
    Fault(
        "order by creation time",
        "eventbus.relay.Relay.step",
        'order_by("id")',
        'order_by("created_at")',
        fails=["commit_order_decides_not_the_clock"],
    ),
]
