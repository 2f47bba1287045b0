"""How much a server grows while some of its browsers take nothing: what they are not told must not pile up.

Beside it asyncio alone, which never looks whether anybody reads, grows by all that was sent.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack

from benchmarks.listeners import Crowd
from benchmarks.measure import Goal, Row
from benchmarks.plan import SILENT
from benchmarks.site import Bench
from benchmarks.sockets import PATH, Server, serving
from stations.sockets.pull_socket import STALLED_SECONDS_MAX

READING = 900  # sockets beside the silent ones: a thousand in all
STATIONS = 80  # changed in a frame: some 3 kB
SERVER_BUFFER_BYTES = 16_384  # in the kernel; it would take megabytes for each who is silent, of which nobody hears
FILL_SECONDS = 3.0  # 64 kB and a frame for each who is silent wait in its transport by then
ROUND_SECONDS = 1.5
ROUNDS = 5  # and one to warm up: 10 frames a second come to 27 MB for all who are silent
# At most, in all rounds. 64 kB and a frame for each may wait in its transport, but that is full by then; the live state
# remembers 6,000 changes, some 3 MB.
GROWTH_MB = 6.0


def measure(bench: Bench) -> Iterator[Row]:
    yield growth_of(bench, "uvicorn")  # Daphne's `send` never waits: it serves local work alone


def growth_of(bench: Bench, kind: str) -> Row:
    with ExitStack() as stack:
        ours, bare = (stack.enter_context(serving(one, STATIONS, SERVER_BUFFER_BYTES)) for one in (kind, "bare"))
        crowds = [Crowd(one.port, PATH, READING, silent=SILENT) for one in (ours, bare)]
        for crowd in crowds:
            stack.callback(crowd.close)
        began = time.monotonic()
        growths = [Growth(one) for one in (ours, bare)]
        row = bench.row(
            f"memory with {SILENT} who never read, {kind}",
            growths[0].so_far,
            unit="MB grown",
            beside="asyncio alone, which never looks whether anybody reads",
            peer=growths[1].so_far,
            goal=Goal(worst_at_most=GROWTH_MB, firm=True),
            rounds=ROUNDS,
        )
        took = time.monotonic() - began
        assert took < STALLED_SECONDS_MAX, f"{took:.0f} s: those who never read were thrown out"
        assert growths[1].megabytes > 2 * GROWTH_MB, "nothing piles up where nobody looks: this row could not fail"
        for crowd in crowds:
            assert crowd.ages, "no frames came to those who read"
        return row


class Growth:
    """Of a server's memory since the kernel's buffers are full."""

    def __init__(self, server: Server) -> None:
        self._server, self.megabytes = server, 0.0
        self._full = server.broadcast(FILL_SECONDS)

    def so_far(self) -> float:
        """Another round; the last figure, which is the worst, is that of all rounds."""
        self.megabytes = max(0.0, self._server.broadcast(ROUND_SECONDS) - self._full)
        return self.megabytes
