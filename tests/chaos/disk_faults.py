"""What is done to the disks. Where no file system may be mounted there are none, and these faults are left out."""

import shutil
import time

from tests.chaos.faults import Fault, Faults
from tests.kafka import Cluster
from tests.waiting import is_true_within

FULL_SECONDS = 3.0
LOADED_SECONDS = 3.0  # for a broker that was started to read its groups' offsets
UNREADABLE = "Failed to load metadata from __consumer_offsets"
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
        _start(broker)
        return effective


def _start(cluster: Cluster) -> None:
    """Somebody starts it again, and sees to offsets that it cannot read: a full disk can end within a record of them.

    Kafka 4 then lets nobody join a group any more, however often it is started. Our groups' places are in our database,
    so its own may go: docs/operations.md, "Groups that nobody can join".
    """
    [broker] = cluster.brokers
    before = broker.has_said(UNREADABLE)
    cluster.start()
    if is_true_within(LOADED_SECONDS, lambda: broker.has_said(UNREADABLE) > before, look=0.2):
        cluster.stop()
        for partition in broker.data.glob("__consumer_offsets-*"):
            shutil.rmtree(partition)
        cluster.start()


KINDS: dict[str, Fault] = {"PostgreSQL's disk full": fill_databases, "Kafka's disk full": fill_brokers}
