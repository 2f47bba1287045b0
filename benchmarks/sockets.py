"""Many browsers on the live map: how old a frame is when they have it, beside asyncio alone with the same bytes."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from benchmarks.broadcaster import FRAMES_PER_SECOND
from benchmarks.listeners import Crowd
from benchmarks.measure import Goal, Row, p99
from benchmarks.plan import CROWDS
from benchmarks.site import Bench

ROUND_SECONDS = 3.0
ROUND_SECONDS_QUICK = 1.0
ROUNDS = 5
P99_MS = {"daphne": 200.0, "uvicorn": 60.0}  # at most, with the largest crowd
STATIONS = 2  # changed in a frame: some 200 bytes
SERVED_SECONDS = 60.0  # until all who have come are: a slow machine needs some for a thousand
HEARD_MIN = 0.9  # of the frames sent, in all rounds
# A socket that is late pulls two changes as one frame, as it should. That frame tells the time of the later change: the
# earlier one was as old as the frames are apart, at least.
MISSED_MS = 1_000 / FRAMES_PER_SECOND
PATH = "/ws/stations/"


class Server:
    """A broadcaster with its crowd."""

    def __init__(self, kind: str, port: int, process: "subprocess.Popen[str]") -> None:
        self.kind, self.port, self._process = kind, port, process

    def broadcast(self, seconds: float) -> float:
        """Send for so long; the server's resident memory in MB afterwards."""
        assert self._process.stdin and self._process.stdout
        print(f"go {seconds}", file=self._process.stdin, flush=True)
        return int(self._process.stdout.readline()) / 1024


@contextmanager
def serving(kind: str, stations: int = STATIONS, *buffer: int) -> Iterator[Server]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "benchmarks.broadcaster", kind, *map(str, (port, stations, *buffer))]
    environment = {**os.environ, "RUN_BUS_IN_SERVER": "0"}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdin and process.stdout
        try:
            assert process.stdout.readline() == "ready\n", f"{kind} did not start"
            yield Server(kind, port, process)
        finally:
            process.stdin.close()
            process.wait()


def measure(bench: Bench) -> Iterator[Row]:
    seconds = ROUND_SECONDS_QUICK if bench.quick else ROUND_SECONDS
    for kind in P99_MS:
        for count in CROWDS:
            yield _latency(bench, kind, count, seconds)


def _latency(bench: Bench, kind: str, count: int, seconds: float) -> Row:
    with ExitStack() as stack:
        ours, bare = (stack.enter_context(serving(one)) for one in (kind, "bare"))
        audiences = [Audience(one, count) for one in (ours, bare)]
        for audience in audiences:
            stack.callback(audience.close)
        row = bench.row(
            f"{count} sockets, {kind}",
            lambda: audiences[0].p99(seconds),
            unit="ms p99",
            beside="asyncio alone, the same bytes",
            peer=lambda: audiences[1].p99(seconds),
            goal=Goal(at_most=P99_MS[kind]),
            rounds=ROUNDS,
        )
        for audience in audiences:
            assert audience.heard > audience.sent * HEARD_MIN, f"{audience} frames came"
        return row


class Audience:
    """A server's crowd, and how much of what was sent it has heard in all rounds: one hiccup is no verdict."""

    def __init__(self, server: Server, count: int) -> None:
        self._server, self._count, self._crowd = server, count, Crowd(server.port, PATH, count)
        self.heard = self.sent = 0
        self.close = self._crowd.close
        self._wait_until_served()

    def _wait_until_served(self) -> None:
        """Whose hand was shaken may still wait for the site to take it up: that is not a frame's age."""
        until, ages = time.monotonic() + SERVED_SECONDS, self._crowd.ages
        while len(ages) < self._count:
            assert time.monotonic() < until, f"{self._server.kind}: {len(ages)} of {self._count} are served"
            ages.clear()
            self._server.broadcast(1 / FRAMES_PER_SECOND)

    def p99(self, seconds: float) -> float:
        """How old the changes of one more round were when they were heard, in milliseconds."""
        self._crowd.ages.clear()
        self._server.broadcast(seconds)
        ages = self._crowd.ages[:]
        sent = self._count * int(seconds * FRAMES_PER_SECOND)
        self.heard += len(ages)
        self.sent += sent
        assert len(ages) > self._count, f"{self._server.kind}: next to nothing came in a round: {self}"
        return p99([*ages, *[MISSED_MS] * (sent - len(ages))])

    def __str__(self) -> str:
        return f"{self._server.kind}: {self.heard} of {self.sent}"
