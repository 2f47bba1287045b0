"""A store goes back to an earlier time, and the other does not: a copy of its disk is put back while all go on."""

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from tests.chaos.client_records import Violation
from tests.chaos.faults import NOTED_SECONDS, Fault, Faults
from tests.chaos.processes import PUBLISHERS, RELAYS, WORKERS
from tests.chaos.restored_events import GHOSTS
from tests.chaos.waiting import until
from tests.kafka.backups import back_up_broker, restore_broker

DATABASE = "PostgreSQL restored"  # the name of that kind
GOES_ON_SECONDS = 4.0  # from the copy on: a hundred events that one of the stores forgets
NOTICED_SECONDS = 60.0  # within which the bus sees by itself what happened: two cores that run other tests are slow
REFILLED = "events are appended again from the outbox"
REPAIRED_SECONDS = 60.0  # for an operator who tries until it works
WENT_BACK = "The database went back to an earlier time"


def restore_log(faults: Faults, draw: float) -> bool:
    """Kafka's disk is copied, people go on, and then it is put back. The relay sees that, and fills the log again."""
    # Nobody else may empty or cut the log between the copy and its return. A wiped cluster has no brokers for a while.
    with faults.kafka, ExitStack() as stack:
        [broker] = faults.site.broker.brokers
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="kept-", dir=broker.data.parent))
        back_up_broker(broker, Path(folder) / "data")
        time.sleep(GOES_ON_SECONDS)  # the fault itself
        had, refills = faults.site.appended(), _refills(faults)
        restore_broker(broker, Path(folder) / "data")
        faults.site.before_loss += had - faults.site.appended()
        return until(lambda: _refills(faults) > refills, NOTICED_SECONDS)


def _refills(faults: Faults) -> int:
    """How often a relay has said that it fills a log again."""
    logs = [faults.site.folder / f"{name}.log" for name in RELAYS]
    return sum(log.read_text(errors="replace").count(REFILLED) for log in logs if log.exists())


def restore_database(faults: Faults, draw: float) -> bool:
    """A copy of PostgreSQL is put back, and Kafka goes on: everything stands still until the operator repairs it.

    As the draw has it, all processes begin anew, or relays and workers run on with what they remember.
    """
    site = faults.site
    # Nobody passes a poisoned event while everything stands still.
    with faults.poison, faults.kafka, faults.postgres, faults.workers:
        before, shop_before = site.forgotten.known(), site.shop and site.shop.known()
        copy = site.database.back_up()
        time.sleep(GOES_ON_SECONDS)  # the fault itself
        site.database.crash()
        # Who publishes ends as well: what is acknowledged is written down by now, or never.
        faults.kill(*PUBLISHERS, *(() if draw < 0.5 else (*RELAYS, *WORKERS)))
        time.sleep(NOTED_SECONDS)  # until what was asked outside is written down
        after, shop_after = site.forgotten.known(), site.shop and site.shop.known()
        site.database.restore(copy)
        site.database.start()
        site.forgotten.note(before, after, {token for (token,) in site.rows("SELECT token FROM town_told")})
        if site.shop and shop_before and shop_after:
            site.shop.restored(shop_before, shop_after)
        if not until(lambda: site.rows("SELECT 1 FROM eventbus_divergence"), NOTICED_SECONDS):
            return False
        _repair(faults)
    if site.shop:
        site.shop.reconcile()  # what is under way, or cannot be asked just now, is compared again when all is at rest
    return True


def _repair(faults: Faults) -> None:
    """The operator reads which store went back, and does what the manual says."""
    if WENT_BACK not in faults.site.status():
        faults.broken.append(Violation(GHOSTS, "status does not say that the database went back"))
    if not until(lambda: faults.site.manage("eventbus", "restored", "--apply"), REPAIRED_SECONDS):
        faults.broken.append(Violation(GHOSTS, "the operator could not repair it"))


KINDS: dict[str, Fault] = {"Kafka restored": restore_log, DATABASE: restore_database}
