"""What is done to town and shop. Each fault returns once it is over, and says whether it had its effect."""

import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial

import psycopg

from tests.chaos.client_records import Violation
from tests.chaos.processes import PUBLISHERS, RELAYS, WORKERS, is_alive, stands_still
from tests.chaos.servers import Site
from tests.chaos.shop import verdict
from tests.chaos.shop.roles import COMPANY, POLLER, WEBS
from tests.waiting import is_true_within

RELAY_STOP_SECONDS = 5.0  # longer than the relay's lease of three, so that another leads
WORKER_STOP_SECONDS = 8.0  # longer than a worker's session of six, so that another has its partitions
WEB_STOP_SECONDS = 6.0  # longer than a shopper waits at one door, and than the shop waits for the company
BROKER_AWAY_SECONDS = 3.0  # longer than a record may wait for its acknowledgement
POSTGRES_AWAY_SECONDS = 0.5
NOTED_SECONDS = 1.0  # until what was committed before is written down as well
PROVIDER_AWAY_SECONDS = 4.0
ACCEPTED_SECONDS = 15.0  # within which somebody is served although the broker is away
ORDERED_SECONDS = 30.0  # and within which somebody orders: a checkout is four pages long

Fault = Callable[["Faults", float], bool]


class Faults:
    """Injects into one site. `broken` gets what was promised and did not hold while a fault lasted."""

    def __init__(self, site: Site) -> None:
        self.site, self.crew = site, site.crew
        self.broken: list[Violation] = []
        self.postgres, self.kafka, self.provider, self.workers, self.webs = (threading.Lock() for _ in range(5))

    def acknowledged(self) -> int:
        """How much the publishers have written down."""
        return sum(file.stat().st_size for file in self.crew.told_files() if file.exists())

    def serves(self, since: int, seconds: float = ACCEPTED_SECONDS) -> bool:
        """Whether more is acknowledged within so long."""
        return is_true_within(seconds, lambda: self.acknowledged() > since, look=0.1)

    def takes_orders(self, since: int) -> bool:
        return is_true_within(ORDERED_SECONDS, lambda: self.site.ordered() > since, look=0.2)

    def see_all_served(self) -> None:
        """Without the broker: who calls is heard, and who orders has an order."""
        called, ordered = self.acknowledged(), self.site.ordered()
        if not self.serves(called):
            self.broken.append(Violation("served while the broker is away", "nobody was, while it was away"))
        if self.site.shop and not self.takes_orders(ordered):
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

    def replace(self, *names: str) -> bool:
        """Each leaves in order, and another one comes, before the next one leaves."""
        return all(
            (pid := self.crew.signal(name, signal.SIGTERM)) and self.crew.await_another(name, pid) for name in names
        )

    def halt(self, name: str, seconds: float) -> bool:
        pid = self.crew.signal(name, signal.SIGSTOP)
        time.sleep(seconds)  # the fault itself
        effective = bool(pid) and stands_still(pid)
        if pid and is_alive(pid):
            os.killpg(pid, signal.SIGCONT)
        return effective


def chosen(names: Sequence[str], draw: float) -> str:
    return names[int(draw * len(names)) % len(names)]


def roll_workers(faults: Faults, draw: float) -> bool:
    with faults.workers:
        return faults.replace(*WORKERS)


def roll_shop(faults: Faults, draw: float) -> bool:
    """The web processes and the poller; then somebody orders."""
    with faults.webs:
        replaced = faults.replace(*WEBS, POLLER)
    return replaced and faults.takes_orders(faults.site.ordered())


def kill_one(names: Sequence[str], faults: Faults, draw: float) -> bool:
    with faults.workers, faults.webs:
        return faults.kill(chosen(names, draw))


def stop_one(names: Sequence[str], seconds: float, faults: Faults, draw: float) -> bool:
    """Longer than its lease, its session, or anybody's patience."""
    with faults.workers if names == WORKERS else faults.webs:
        return faults.halt(chosen(names, draw), seconds)


def end_broker(how: str, faults: Faults, draw: float) -> bool:
    with faults.kafka:
        if how == "wipe":  # all its data is lost; somebody starts another and makes the topics
            faults.site.before_loss += faults.site.appended()
        getattr(faults.site.broker, how)()
        gone = how == "wipe" or not faults.site.broker.running  # a wiped cluster has no brokers to ask
        faults.see_all_served()
        time.sleep(BROKER_AWAY_SECONDS)  # the fault itself
        faults.site.broker.start()
        if how == "wipe":
            faults.site.manage("eventbus", "topics", "--apply")
        return gone


def halt_broker(faults: Faults, draw: float) -> bool:
    """It keeps its connections, and says nothing."""
    with faults.kafka:
        pid = faults.site.broker.brokers[0].pid
        os.kill(pid, signal.SIGSTOP)
        time.sleep(WORKER_STOP_SECONDS)  # the fault itself
        effective = stands_still(pid)
        os.kill(pid, signal.SIGCONT)
        return effective


def kill_postgres(faults: Faults, draw: float) -> bool:
    """In a hurry, or with all who work for it: nobody says goodbye, and nothing is cleaned up."""
    with faults.postgres:
        if draw < 0.5:
            faults.site.database.crash()
        else:
            faults.site.database.signal(signal.SIGKILL)
        gone = not faults.site.database.running
        time.sleep(POSTGRES_AWAY_SECONDS)  # the fault itself
        faults.site.database.start()
        return gone


def halt_postgres(faults: Faults, draw: float) -> bool:
    """It keeps its connections, and says nothing."""
    with faults.postgres:
        faults.site.database.signal(signal.SIGSTOP)
        time.sleep(NOTED_SECONDS)  # the fault itself begins
        served = faults.serves(faults.acknowledged(), RELAY_STOP_SECONDS)  # the fault itself
        faults.site.database.signal(signal.SIGCONT)
        return not served


def end_connections(faults: Faults, draw: float) -> bool:
    question = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid()"
    with faults.postgres:
        return len(faults.site.rows(question, faults.site.name)) > len(WORKERS)


def trouble_provider(faults: Faults, draw: float) -> bool:
    """It is not reached, or answers nobody although it did what it was asked."""
    with faults.provider:
        calls, away = faults.site.folder / "calls", faults.site.folder / "away"
        before = calls.stat().st_size if calls.exists() else 0
        away.touch()
        time.sleep(PROVIDER_AWAY_SECONDS)  # the fault itself
        effective = (calls.stat().st_size if calls.exists() else 0) > before
        away.unlink()
        return effective


OF_THE_TOWN: dict[str, Fault] = {
    "publisher killed": partial(kill_one, PUBLISHERS),
    "worker killed": partial(kill_one, WORKERS),
    "relay killed": lambda faults, draw: faults.kill(faults.leader(draw)),
    "both relays killed": lambda faults, draw: faults.kill(*RELAYS),
    "relay stopped": lambda faults, draw: faults.halt(faults.leader(draw), RELAY_STOP_SECONDS),
    "worker stopped": partial(stop_one, WORKERS, WORKER_STOP_SECONDS),
    "workers rolled": roll_workers,
    "broker stopped": partial(end_broker, "stop"),
    "broker killed": partial(end_broker, "kill"),
    "broker emptied": partial(end_broker, "wipe"),
    "broker halted": halt_broker,
    "PostgreSQL killed": kill_postgres,
    "PostgreSQL halted": halt_postgres,
    "connections ended": end_connections,
    "provider in trouble": trouble_provider,
}
OF_THE_SHOP: dict[str, Fault] = {
    "web killed": partial(kill_one, WEBS),
    "web stopped": partial(stop_one, WEBS, WEB_STOP_SECONDS),
    "poller killed": partial(kill_one, (POLLER,)),
    "poller stopped": partial(stop_one, (POLLER,), RELAY_STOP_SECONDS),
    "company killed": partial(kill_one, (COMPANY,)),
    "company stopped": partial(stop_one, (COMPANY,), WEB_STOP_SECONDS),
    "shop rolled": roll_shop,
}
KINDS = OF_THE_TOWN | OF_THE_SHOP
