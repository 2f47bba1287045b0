"""What is done to the town. Each fault returns once it is over, and says whether it had its effect."""

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence

import psycopg

from tests.chaos.client_records import Violation
from tests.chaos.processes import PUBLISHERS, RELAYS, WORKERS, is_alive, stands_still
from tests.chaos.servers import Site
from tests.chaos.shop import verdict
from tests.waiting import is_true_within

RELAY_STOP_SECONDS = 5.0  # longer than the relay's lease of three, so that another leads
WORKER_STOP_SECONDS = 8.0  # longer than a worker's session of six, so that another has its partitions
BROKER_AWAY_SECONDS = 3.0  # longer than a record may wait for its acknowledgement
POSTGRES_AWAY_SECONDS = 0.5
NOTED_SECONDS = 1.0  # until what was committed before is written down as well
PROVIDER_AWAY_SECONDS = 4.0
# The clock's jump and back. What was put off by a clock that is ahead waits for as long once it is right again.
AHEAD_SECONDS, BEHIND_SECONDS = 8.0, -60.0
SKEWED_SECONDS = 4.0
ACCEPTED_SECONDS = 15.0  # within which somebody is served although the broker is away
ORDERED_SECONDS = 30.0  # and within which somebody orders: a checkout is four pages long
NEW_RELEASE_SECONDS = 30.0  # until the new release handles

Fault = Callable[["Faults", float], bool]
KINDS: dict[str, Fault] = {}


def kind(name: str) -> Callable[[Fault], Fault]:
    def add(fault: Fault) -> Fault:
        KINDS[name] = fault
        return fault

    return add


class Faults:
    """Injects into one site. `broken` gets what was promised and did not hold while a fault lasted.

    `calm` is a clock that stands still while a fault holds up everything.
    """

    def __init__(self, site: Site, calm: Callable[[], float] = time.monotonic) -> None:
        self.site, self.crew, self.calm = site, site.crew, calm
        self.broken: list[Violation] = []
        self.postgres, self.kafka, self.provider, self.clock, self.workers = (threading.Lock() for _ in range(5))
        self.webhooks, self.poison, self.webs = (threading.Lock() for _ in range(3))

    def acknowledged(self) -> int:
        """How much the publishers have written down."""
        return sum(file.stat().st_size for file in self.crew.told_files() if file.exists())

    def serves(self, since: int, seconds: float = ACCEPTED_SECONDS) -> bool:
        """Whether more is acknowledged within so long."""
        return is_true_within(seconds, lambda: self.acknowledged() > since, look=0.1)

    def see_all_served(self) -> None:
        """Without the broker: who calls is heard, and who orders has an order."""
        shop, called = self.site.shop, self.acknowledged()
        ordered = shop.ordered() if shop else 0
        if not self.serves(called):
            self.broken.append(Violation("served while the broker is away", "nobody was, while it was away"))
        if shop and not shop.takes_orders(ordered, ORDERED_SECONDS):
            self.broken.append(Violation(verdict.TAKEN, "nobody could order while it was away"))

    def leader(self, fallback: float) -> str:
        """The relay that leads; one by lot while nobody does."""
        try:
            for (owner,) in self.site.rows("SELECT owner FROM eventbus_lease WHERE name = 'dispatcher'"):
                name = self.crew.name_of(int(owner.rpartition(" ")[2] or 0))
                if name is not None:
                    return name
        except psycopg.Error:
            pass
        return chosen(RELAYS, fallback)

    def kill(self, *names: str) -> bool:
        pids = {name: self.crew.signal(name, signal.SIGKILL) for name in names}
        return all(pid and self.crew.await_another(name, pid) and not is_alive(pid) for name, pid in pids.items())

    def replace(self, name: str) -> bool:
        """It leaves in order, and another one comes."""
        pid = self.crew.signal(name, signal.SIGTERM)
        return bool(pid) and self.crew.await_another(name, pid)

    def halt(self, name: str, seconds: float) -> bool:
        pid = self.crew.signal(name, signal.SIGSTOP)
        time.sleep(seconds)  # the fault itself
        effective = bool(pid) and stands_still(pid)
        if pid and is_alive(pid):
            os.killpg(pid, signal.SIGCONT)
        return effective


def chosen(names: Sequence[str], draw: float) -> str:
    return names[int(draw * len(names)) % len(names)]


@kind("publisher killed")
def _kill_publisher(faults: Faults, draw: float) -> bool:
    return faults.kill(chosen(PUBLISHERS, draw))


@kind("relay killed")
def _kill_relay(faults: Faults, draw: float) -> bool:
    return faults.kill(faults.leader(draw))


@kind("both relays killed")
def _kill_relays(faults: Faults, draw: float) -> bool:
    return faults.kill(*RELAYS)


@kind("worker killed")
def _kill_worker(faults: Faults, draw: float) -> bool:
    with faults.workers:
        return faults.kill(chosen(WORKERS, draw))


@kind("publisher stopped")
def _stop_publisher(faults: Faults, draw: float) -> bool:
    return faults.halt(chosen(PUBLISHERS, draw), RELAY_STOP_SECONDS)


@kind("relay stopped")
def _stop_relay(faults: Faults, draw: float) -> bool:
    """Longer than its lease."""
    return faults.halt(faults.leader(draw), RELAY_STOP_SECONDS)


@kind("worker stopped")
def _stop_worker(faults: Faults, draw: float) -> bool:
    """Longer than its session."""
    with faults.workers:
        return faults.halt(chosen(WORKERS, draw), WORKER_STOP_SECONDS)


@kind("rolling restart")
def _roll(faults: Faults, draw: float) -> bool:
    """Of the workers, one after the other, with a new release, which must have handled something in the end."""
    with faults.workers:
        faults.crew.release += 1
        if not all(faults.replace(name) for name in WORKERS):
            return False
        release = faults.crew.release
        return is_true_within(NEW_RELEASE_SECONDS, lambda: _handled_by(faults.site, release), look=0.2)


def _handled_by(site: Site, release: int) -> bool:
    try:
        return bool(
            site.rows(
                "SELECT 1 FROM (SELECT release FROM town_seen ORDER BY id DESC LIMIT 200) AS last"
                " WHERE release = %s LIMIT 1",
                release,
            )
        )
    except psycopg.Error:
        return False


@kind("broker stopped")
def _stop_broker(faults: Faults, draw: float) -> bool:
    return _broker_away(faults, lambda: faults.site.broker.stop())


@kind("broker killed")
def _kill_broker(faults: Faults, draw: float) -> bool:
    return _broker_away(faults, lambda: faults.site.broker.kill())


@kind("broker emptied")
def _empty_broker(faults: Faults, draw: float) -> bool:
    """All its data is lost; somebody starts another and makes the topics."""
    with faults.kafka:
        faults.site.before_loss += faults.site.appended()
        faults.site.broker.wipe()
        faults.see_all_served()
        faults.site.broker.start()
        faults.site.make_topics()
        return True


def _broker_away(faults: Faults, end: Callable[[], None]) -> bool:
    with faults.kafka:
        end()
        gone = not faults.site.broker.running
        faults.see_all_served()
        time.sleep(BROKER_AWAY_SECONDS)  # the fault itself
        faults.site.broker.start()
        return gone


@kind("broker halted")
def _halt_broker(faults: Faults, draw: float) -> bool:
    """It keeps its connections, and says nothing."""
    with faults.kafka:
        pid = faults.site.broker.brokers[0].pid
        os.kill(pid, signal.SIGSTOP)
        time.sleep(RELAY_STOP_SECONDS)  # the fault itself
        effective = stands_still(pid)
        os.kill(pid, signal.SIGCONT)
        return effective


@kind("PostgreSQL restarted")
def _restart_postgres(faults: Faults, draw: float) -> bool:
    with faults.postgres:
        faults.site.database.crash()
        time.sleep(POSTGRES_AWAY_SECONDS)  # the fault itself
        faults.site.database.start()
        return True


@kind("PostgreSQL killed")
def _kill_postgres(faults: Faults, draw: float) -> bool:
    """With all who work for it: nobody says goodbye, and nothing is cleaned up."""
    with faults.postgres:
        faults.site.database.signal(signal.SIGKILL)
        gone = not faults.site.database.running
        time.sleep(POSTGRES_AWAY_SECONDS)  # the fault itself
        faults.site.database.start()
        return gone


@kind("PostgreSQL halted")
def _halt_postgres(faults: Faults, draw: float) -> bool:
    """It keeps its connections, and says nothing."""
    with faults.postgres:
        faults.site.database.signal(signal.SIGSTOP)
        time.sleep(NOTED_SECONDS)  # the fault itself begins
        served = faults.serves(faults.acknowledged(), RELAY_STOP_SECONDS)  # the fault itself
        faults.site.database.signal(signal.SIGCONT)
        return not served


@kind("connections ended")
def _terminate(faults: Faults, draw: float) -> bool:
    with faults.postgres:
        ended = faults.site.rows(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()",
            faults.site.name,
        )
        return len(ended) > len(WORKERS) + 1  # and that of whoever watches


@kind("provider in trouble")
def _provider(faults: Faults, draw: float) -> bool:
    """It is not reached, or answers nobody although it did what it was asked."""
    with faults.provider:
        calls, away = faults.site.folder / "calls", faults.site.folder / "away"
        before = calls.stat().st_size if calls.exists() else 0
        away.touch()
        time.sleep(PROVIDER_AWAY_SECONDS)  # the fault itself
        effective = (calls.stat().st_size if calls.exists() else 0) > before
        away.unlink()
        return effective


@kind("clock jumped")
def _clock(faults: Faults, draw: float) -> bool:
    """Every process's clock, and back."""
    with faults.clock:
        clock, jump = faults.site.folder / "clock", AHEAD_SECONDS if draw < 0.5 else BEHIND_SECONDS
        clock.write_text(str(jump))
        time.sleep(SKEWED_SECONDS)  # the fault itself
        question = "SELECT count(*) FROM (SELECT created_at FROM eventbus_outbox ORDER BY id DESC LIMIT 100) AS last"
        question += " WHERE abs(extract(epoch FROM created_at - now())) > 5"  # more than it waits, so a wrong clock's
        try:
            return faults.site.number(question) > 0
        except psycopg.Error:
            return False
        finally:
            clock.unlink()
