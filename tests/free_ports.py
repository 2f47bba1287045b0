"""Choose ports for the servers that tests start, so that nobody else takes one before its server listens."""

import atexit
import socket
from collections import deque
from contextlib import ExitStack, suppress
from random import SystemRandom  # another's seed must not lead every process to the same ports

HOST = "127.0.0.1"
# Below what systems give to outgoing connections. A connection could else take a port before its server starts, and a
# client that comes back to a server that is away could be connected to itself.
PORTS = range(10_000, 30_000)
KEPT_MAX = 128  # a server listens long before so many others are chosen; each costs a file descriptor

_kept: deque[ExitStack] = deque()


def free_ports(count: int) -> list[int]:
    """Return ports of loopback, side by side, where nobody listens. No other process that asks here is given them."""
    while True:
        first = SystemRandom().randrange(PORTS.start, PORTS.stop - count)
        found = list(range(first, first + count))
        with suppress(OSError):
            _kept.append(_reservation(found))
            _close_all_but(KEPT_MAX)
            return found


def _close_all_but(latest: int) -> None:
    while len(_kept) > latest:
        _kept.popleft().close()


atexit.register(_close_all_but, 0)


def _reservation(ports: list[int]) -> ExitStack:
    """Hold the same numbers in UDP, which no server here uses. Raises OSError if one is taken, there or in TCP."""
    with ExitStack() as stack:
        for port in ports:
            stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)).bind((HOST, port))
            socket.create_server((HOST, port)).close()
        return stack.pop_all()
