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
        "take no lock for a key",
        "eventbus.database.outbox_inserts.slots",
        "return sorted(",
        "return [] and sorted(",
        fails=["commit_order_decides_when_two_publish_to_one_key"],
        only="postgresql",
    ),
    Fault(
        "take locks in the order of the events",
        "eventbus.database.outbox_inserts.slots",
        "return sorted({(_signed(one.topic), zlib.crc32(one.key.encode()) % LOCK_SLOTS) for one in sealed})",
        "return list({(_signed(one.topic), zlib.crc32(one.key.encode()) % LOCK_SLOTS): one for one in sealed})",
        fails=["two_who_tell_of_the_same_keys_in_opposite_orders_both_get_through"],
        only="postgresql",
    ),
    Fault(
        "draw the id before the lock",
        "eventbus.database.outbox_inserts._postgres",
        "_ONE,",
        'f"INSERT INTO eventbus_outbox ({_NAMES}) VALUES '
        '(%b, %b, %b, %b, %b, %b, %b, pg_advisory_xact_lock(%b::int, %b::int)::text)",',
        fails=["commit_order_decides_when_two_publish_to_one_key"],
        only="postgresql",
    ),
    Fault(
        "let a later event of a parked key pass",
        "eventbus.consuming.batch.BatchRunner._sorting",
        "if record.key in parked:",
        "if False:",
        fails=["order_holds_through_retries"],
    ),
    Fault(
        "requeue to the tail",
        "eventbus.failures.dead_letter_requests._requeue",
        "parking.wait(key, record, record.offset)",
        "parking.wait(key, record, 10**9)",
        fails=["a_poison_event_parks_its_key_while_the_others_flow_and_resumes_in_order"],
    ),
    Fault(
        "number all alike",
        "eventbus.events.sequenced",
        "str(sequence).zfill",
        "str(0).zfill",
        fails=["sequence_grows_within_a_key"],
    ),
]
