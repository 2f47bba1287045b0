"""Many browsers on the live map: how old a frame is when they have it, beside asyncio alone with the same bytes."""

import os
import socket
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from benchmarks.broadcaster import FRAMES_PER_SECOND
from benchmarks.listeners import Crowd
from benchmarks.measure import Goal, Row
from benchmarks.plan import CROWDS
from benchmarks.site import Bench

ROUND_SECONDS = 3.0
ROUND_SECONDS_QUICK = 1.0
ROUNDS = 5
P99_MS = {"daphne": 200.0, "uvicorn": 60.0}  # at most, with the largest crowd
STATIONS = 2  # changed in a frame: some 2 kB
HEARD_MIN = 0.9  # of the frames sent: a socket that is late pulls two changes as one frame, as it should
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
    environment = {**os.environ, "IN_PROCESS": "0"}
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
        crowds = {one.kind: Crowd(one.port, PATH, count) for one in (ours, bare)}
        for crowd in crowds.values():
            stack.callback(crowd.close)
        return bench.row(
            f"{count} sockets, {kind}",
            lambda: _p99(ours, crowds[kind], count, seconds),
            unit="ms p99",
            beside="asyncio alone, the same bytes",
            peer=lambda: _p99(bare, crowds["bare"], count, seconds),
            goal=Goal(at_most=P99_MS[kind]),
            rounds=ROUNDS,
        )


def _p99(server: Server, crowd: Crowd, count: int, seconds: float) -> float:
    crowd.ages.clear()
    server.broadcast(seconds)
    heard, sent = len(crowd.ages), count * int(seconds * FRAMES_PER_SECOND)
    assert heard > sent * HEARD_MIN, f"{server.kind}: {heard} of {sent} frames came"
    return statistics.quantiles(crowd.ages, n=100)[98]
