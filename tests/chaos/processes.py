"""The town's processes, started again when they die, as an orchestrator would."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from tests.chaos.shop.roles import POLLER, SHOPPERS, Role
from tests.live_site import ROOT
from tests.waiting import is_true_within

LOOK_SECONDS = 0.2  # how soon a death is seen
AGAIN_SECONDS = 1.0  # between the starts of one that keeps dying
STOP_SECONDS = 40.0  # more than a worker gives to what is in hand
END_SECONDS = 120.0  # more than the longest visit to the shop takes on a busy machine
PUBLISHERS = ("publisher-1", "publisher-2")
RELAYS = ("relay-1", "relay-2")
WORKERS = ("worker-1", "worker-2", "worker-3")
LEAVING = (*PUBLISHERS, SHOPPERS)  # who ends by itself once a file says so
MAKERS = (*LEAVING, POLLER)  # of events: they end before the others


class Crew:
    """All processes by name."""

    def __init__(self, folder: Path, environment: Mapping[str, str], seed: int, others: Mapping[str, Role]) -> None:
        self._others = others
        self._folder, self._environment, self._seed = folder, environment, seed
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._starts: dict[str, int] = {}
        self._over = False  # the load
        self._lock = threading.RLock()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._look_after, daemon=True)

    def start(self) -> None:
        for name in (*RELAYS, *WORKERS, *self._others, *PUBLISHERS):
            self._start(name)
        self._thread.start()

    def told_files(self) -> list[Path]:
        return [self._folder / name for name in PUBLISHERS]

    def pid(self, name: str) -> int:
        with self._lock:
            return self._running[name].pid

    def name_of(self, pid: int) -> str | None:
        with self._lock:
            return next((name for name, process in self._running.items() if process.pid == pid), None)

    def signal(self, name: str, number: signal.Signals) -> int:
        """To the process of this name as it is now, 0 when it is dead; its process id."""
        with self._lock:
            process = self._running[name]
            if process.poll() is not None:
                return 0
            if number == signal.SIGTERM:  # its own affair
                process.send_signal(number)
            else:  # a web server's children go with it, as they do with a container
                os.killpg(process.pid, number)
            return process.pid

    def await_another(self, name: str, pid: int, seconds: float = STOP_SECONDS) -> bool:
        """Until another process has this name."""
        return is_true_within(seconds, lambda: self.pid(name) != pid, look=LOOK_SECONDS)

    def stop_load(self) -> bool:
        """Whether each who makes it ended by itself."""
        for name in LEAVING:
            (self._folder / name).with_suffix(".stop").touch()
        with self._lock:
            self._over = True
            makers = [self._running[name] for name in MAKERS if name in self._running]
            if POLLER in self._running:
                self._running[POLLER].send_signal(signal.SIGTERM)
        try:
            return all(process.wait(END_SECONDS) == 0 for process in makers)
        except subprocess.TimeoutExpired:
            return False

    def close(self) -> None:
        """Kill all."""
        self._ending.set()
        with self._lock:
            for process in self._running.values():
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def _look_after(self) -> None:
        while not self._ending.wait(LOOK_SECONDS):
            with self._lock:
                for name, process in list(self._running.items()):
                    if process.poll() is not None and not self._ending.is_set() and not (self._over and name in MAKERS):
                        self._start(name)

    def _start(self, name: str) -> None:
        with self._lock:
            count = self._starts[name] = self._starts.get(name, 0) + 1
            environment = {
                **self._environment,
                **(self._others[name].environment if name in self._others else {}),
                "PGAPPNAME": name,
            }
            with (self._folder / f"{name}.log").open("ab") as log:
                self._running[name] = subprocess.Popen(
                    self._command(name, count), cwd=ROOT, env=environment, stdout=log, stderr=log, process_group=0
                )

    def _command(self, name: str, count: int) -> list[str]:
        if name in self._others:
            return self._others[name].command
        if name in PUBLISHERS:
            program, file = "tests.chaos.load_app.publisher", str(self._folder / name)
            return [sys.executable, "-m", program, file, f"{self._seed} {name} {count}"]
        return [sys.executable, "manage.py", "relay_events" if name in RELAYS else "handle_events"]


def stands_still(pid: int) -> bool:
    """Whether it was stopped, as the system sees it."""
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"
    return False


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
