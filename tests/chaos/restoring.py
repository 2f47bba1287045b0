"""A store goes back to an earlier time, and the other does not: a copy of its disk is put back while all go on."""

import tempfile
import time
from pathlib import Path

from tests.chaos.faults import Fault, Faults
from tests.chaos.processes import RELAYS
from tests.kafka.backups import back_up_broker, restore_broker

GOES_ON_SECONDS = 4.0  # from the copy on: a hundred events that one of the stores forgets
NOTICED_SECONDS = 30.0  # within which the bus sees by itself what happened
REFILLED = "events are appended again from the outbox"


def restore_log(faults: Faults, draw: float) -> bool:
    """Kafka's disk is copied, people go on, and then it is put back. The relay sees that, and fills the log again."""
    [broker] = faults.site.broker.brokers
    # Nobody else may empty or cut the log between the copy and its return.
    with faults.kafka, tempfile.TemporaryDirectory(prefix="kept-", dir=broker.data.parent) as folder:
        back_up_broker(broker, Path(folder) / "data")
        time.sleep(GOES_ON_SECONDS)  # the fault itself
        had, refills = faults.site.appended(), _refills(faults)
        restore_broker(broker, Path(folder) / "data")
        faults.site.before_loss += had - faults.site.appended()
        return _until_refilled(faults, refills)


def _until_refilled(faults: Faults, before: int) -> bool:
    deadline = time.monotonic() + NOTICED_SECONDS
    while time.monotonic() < deadline:
        if _refills(faults) > before:
            return True
        time.sleep(0.2)  # between two looks of a poll that has a deadline
    return False


def _refills(faults: Faults) -> int:
    """How often a relay has said that it fills a log again."""
    logs = [faults.site.folder / f"{name}.log" for name in RELAYS]
    return sum(log.read_text(errors="replace").count(REFILLED) for log in logs if log.exists())


KINDS: dict[str, Fault] = {"Kafka restored": restore_log}
