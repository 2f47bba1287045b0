"""The shift's site: a relay, somebody who rings, and workers of which each is followed by another."""

import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from uuid import uuid4

from tests.eventbus.load_app.processes import Crowd
from tests.kafka.groups import share
from tests.outbox_check import misfits_of
from tests.waiting import until

PARTITIONS = 8  # of each topic: two for each of four workers
WAIT_SECONDS = 120.0  # for what processes do that start on a busy machine, a part of a second on a quiet one
LOOK_SECONDS = 0.2  # between two looks: each costs the machine that is measured a connection


class Shift(Crowd):
    """Over Kafka. `environment` is added to what its processes see."""

    def __init__(self, folder: Path, database_url: str, servers: str, environment: Mapping[str, str]) -> None:
        self._servers, self._prefix = servers, f"{uuid4().hex[:8]}."
        ours = {
            "DJANGO_SETTINGS_MODULE": "tests.rolling.load_app.settings",
            "EVENTBUS_BACKEND": "kafka",
            "EVENTBUS_PARTITIONS": str(PARTITIONS),
            "KAFKA_BOOTSTRAP_SERVERS": servers,
            "KAFKA_PREFIX": self._prefix,
        }
        self.told = folder / "told"
        super().__init__(folder, database_url, ours | dict(environment))

    def _prepare(self) -> None:
        self._site.manage("eventbus", "topics", "--apply")
        super()._prepare()

    def from_now_on(self, **environment: str) -> None:
        """What processes see that start later."""
        self._site.environment |= environment

    def relay(self) -> None:
        self.command("relay_events")

    def begin(self, group: str, count: int) -> list[subprocess.Popen[bytes]]:
        """So many workers, once the partitions are shared out among them."""
        workers = [self.worker(group) for _ in range(count)]
        name = self._prefix + group
        self.wait(partial(share, self._servers, name, count, PARTITIONS), "the workers share the partitions")
        return workers

    def worker(self, group: str) -> subprocess.Popen[bytes]:
        return self.command("handle_events", "--group", group)

    def ring(self, rate: float, ahead: int) -> subprocess.Popen[bytes]:
        """So many times a second, until `hush`; with no more than `ahead` that wait, any number when 0."""
        return self._run("-m", "tests.rolling.load_app.publisher", str(self.told), str(rate), str(ahead))

    def hush(self, ringing: subprocess.Popen[bytes]) -> None:
        """No more; and all that was told is handled, or it is too late for what is not."""
        self.told.with_suffix(".stop").touch()
        assert ringing.wait(WAIT_SECONDS) == 0, self.log()
        count = len(self.told.read_text().splitlines())
        try:
            self.wait(lambda: self.answers() >= count, "all is handled")
        except AssertionError:
            return  # what is lost, the outcome tells

    def answers(self) -> int:
        return self.number("SELECT count(*) FROM shift_answer")

    def has_begun(self, worker: subprocess.Popen[bytes]) -> bool:
        return bool(self.rows(f"SELECT 1 FROM eventbus_process WHERE pid = {worker.pid}"))

    def has_answered(self, worker: subprocess.Popen[bytes]) -> bool:
        return bool(self.rows(f"SELECT 1 FROM shift_answer WHERE process = {worker.pid} LIMIT 1"))

    def replace(self, worker: subprocess.Popen[bytes], group: str, *, joins: bool) -> float:
        """Ask it to leave, and start its successor; after how many seconds that one handled its first event.

        Unless it `joins`, it only has to have begun.
        """
        begun = time.monotonic()
        worker.send_signal(signal.SIGTERM)
        successor = self.worker(group)
        self.wait(partial(self.has_answered if joins else self.has_begun, successor), "the successor is at work")
        joined = time.monotonic() - begun
        assert worker.wait(WAIT_SECONDS) == 0, self.log()
        return joined

    def misfits(self) -> list[str]:
        """The rows of the outbox that do not fit the JSON Schemas of their events."""
        return misfits_of(self._site.environment)

    def wait(self, condition: Callable[[], object], what: str) -> None:
        """Look until it holds; fail after WAIT_SECONDS."""
        until(condition, lambda: f"{what}\n{self.log()}", seconds=WAIT_SECONDS, look=LOOK_SECONDS)
