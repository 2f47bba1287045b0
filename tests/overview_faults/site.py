"""The whole site as processes, with everything around it that can be broken, and customers who use it."""

import random
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg

from tests.chaos.shop import shoppers
from tests.full_disk import small_disk
from tests.kafka import Cluster
from tests.outside.smtp import MailServer, mail_server
from tests.postgres import temporary_cluster
from tests.split_site import SplitSite
from tests.waiting import START_SECONDS, listens, until
from tests.webhook_receiver import Receiver

BACKENDS = ("memory", "kafka")
PROCESSES = {
    "memory": {"all": "all"},
    "kafka": {"pages": "pages", "live": "live", "relay": "relay", "handle": "handle", "poll": "poll"},
}
DOORS = {"memory": ("all",), "kafka": ("pages", "live")}
OPERATOR = "operator@example.com"
SECRET = "0f6c1d6c7e2b4a559d3b8c41a7e0c5f2"
SHOPPERS = 4  # with their pauses, some orders in two seconds
SHOPPERS_SEED = "1"
DISK = "size=64m"  # the folder of keys, pictures and counts; each process takes 2 MB
FEED = "simulator:lund"  # a small city


class Paying(shoppers.Plans):
    """Everybody pays, with a good card."""

    def deal(self) -> tuple[str, ...]:
        return (shoppers.GOOD,)


class WholeSite(SplitSite):
    """The site with a mail server, a receiver of notices, a disk of its own, and people who order."""

    def __init__(
        self, folder: Path, database: str, backend: str, servers: str, mails: MailServer, receiver: Receiver
    ) -> None:
        self.backend, self.mails, self.receiver = backend, mails, receiver
        self.disk, self.books, self.raising = folder / "var", folder / "provider", folder / "raising"
        self.database_url = database
        self.books.mkdir(exist_ok=True)
        more = {
            "DJANGO_SETTINGS_MODULE": "tests.overview_faults.settings",
            "EVENTBUS_BACKEND": backend,
            "DEMO": "0",
            "TRUST_PROXY": "1",  # shoppers come from many addresses
            "VAR_DIR": str(self.disk),
            "STATIONS_FEEDS": FEED,
            "SECRET_KEY": SECRET * 2,
            "SANDBOX_PROVIDER_KEY": SECRET,
            "SANDBOX_WEBHOOK_SECRET": SECRET,
            "RAISING_FILE": str(self.raising),
            "EMAIL_URL": f"smtp://127.0.0.1:{mails.port}",
            "EVENTBUS_NOTIFY_MAIL": OPERATOR,
            "EVENTBUS_NOTIFY_WEBHOOK": receiver.url,
            "EVENTBUS_NOTIFY_SECRET": SECRET,
        }
        super().__init__(folder, database, servers, more)
        self._ports[DOORS[backend][0]] = self.port  # where the provider sends its webhooks, and shoppers

    @property
    def door(self) -> str:
        """The address of the process that draws the overview."""
        return self.address(DOORS[self.backend][0])

    @property
    def servers(self) -> list[str]:
        """The addresses that Prometheus scrapes."""
        return [self.address(name) for name in DOORS[self.backend]]

    def simulate(self) -> None:
        """Start the feed, and return once it listens."""
        self.stand_in("simulator", "simulate_stations", f"--port={_port(self.simulator_url)}")
        self._await_listening(self.simulator_url)

    def provide(self, **told: str) -> None:
        """Start the payment provider, on a disk of its own, and return once it listens. `told`: its own settings."""
        known, self.environment = self.environment, {**self.environment, "VAR_DIR": str(self.books), **told}
        try:
            self.stand_in("provider", "sandbox_provider")
        finally:
            self.environment = known
        self._await_listening(self.provider_url)

    def _await_listening(self, url: str) -> None:
        until(lambda: listens(_port(url)), self.log_tail, seconds=START_SECONDS, alive=self.processes.values())

    def begin(self) -> None:
        """Start everything, and return once the site serves."""
        self.simulate()
        self.provide()
        for name, role in PROCESSES[self.backend].items():
            self.play(name, role)
        self.await_ready(*DOORS[self.backend])
        self.await_offers()

    @contextmanager
    def open_to_shoppers(self) -> Iterator[None]:
        """Let people order meanwhile. It ends once all have left: at a dead site they would disturb other tests."""
        diary, doors = shoppers.Diary(self.directory / "diary"), shoppers.Doors([self.door])
        plans = Paying(random.Random(SHOPPERS_SEED))
        chances = [random.Random(f"{SHOPPERS_SEED} {number}") for number in range(SHOPPERS)]
        people = [
            threading.Thread(target=shoppers.shop, args=(diary, plans, doors, chance), daemon=True)
            for chance in chances
        ]
        for person in people:
            person.start()
        try:
            yield
        finally:
            (self.directory / "diary.stop").touch()
            for person in people:
                person.join()
            doors.close()
            diary.put_away()

    def lock(self, table: str) -> psycopg.Connection:
        """Hold the table in a transaction that somebody has left open, until the connection is closed."""
        connection = psycopg.connect(self.database_url)
        connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        return connection


def _port(url: str) -> int:
    return int(url.rpartition(":")[2])


@contextmanager
def whole_site(folder: Path, backend: str, *, cluster: Cluster | None = None) -> Iterator[WholeSite]:
    """A site that serves and is used, ended at the end. Raises PostgresMissing, KafkaMissing."""
    with ExitStack() as stack:
        servers = cluster.bootstrap_servers if cluster else ""
        mails, receiver = stack.enter_context(mail_server()), Receiver()
        stack.callback(receiver.close)
        database = stack.enter_context(temporary_cluster())
        stack.enter_context(small_disk(folder / "var", DISK))
        site = WholeSite(folder, database, backend, servers, mails, receiver)
        stack.callback(site.kill)
        if backend == "kafka":
            site.prepare()
        else:
            site.manage("migrate", "--verbosity=0")
        site.manage("shell", "--command", "from tests.chaos.shop.setup import fill_shelves; fill_shelves()")
        site.begin()
        stack.enter_context(site.open_to_shoppers())
        yield site
