"""What is done to the disks. Where no file system may be mounted there are none, and these faults are left out."""

import time

from tests.chaos.faults import Fault, Faults

FULL_SECONDS = 3.0
NO_ROOM = "No space left on device"


def fill_databases(faults: Faults, draw: float) -> bool:
    """PostgreSQL refuses what needs room, and perhaps gives up; then somebody starts it again."""
    disk, database = faults.site.servers.database_disk, faults.site.database
    assert disk
    with faults.postgres:
        before = database.log().count(NO_ROOM)
        disk.fill()
        try:
            time.sleep(FULL_SECONDS)  # the fault itself
            effective = database.log().count(NO_ROOM) > before
        finally:
            disk.free()
        if not database.running:
            database.start()
        return effective


def fill_brokers(faults: Faults, draw: float) -> bool:
    """Kafka gives up when it cannot write; then somebody starts it again."""
    disk, broker = faults.site.servers.broker_disk, faults.site.broker
    assert disk
    with faults.kafka:
        disk.fill()
        try:
            faults.see_all_served()
            time.sleep(FULL_SECONDS)  # the fault itself
            effective = not broker.running
        finally:
            disk.free()
        broker.stop()
        broker.start()
        return effective


KINDS: dict[str, Fault] = {"PostgreSQL's disk full": fill_databases, "Kafka's disk full": fill_brokers}
