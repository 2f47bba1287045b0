"""What an orchestrator's question costs: `/health/ready` of a page server, one question after the other."""

import http.client
from collections.abc import Iterator

from benchmarks.measure import Goal, Row, milliseconds, p99
from benchmarks.pages import HOST, PAGE_SECONDS, fetch, serving
from benchmarks.site import Bench

QUESTIONS, QUESTIONS_QUICK = 200, 50  # of a round
READY_MS_MAX = 5  # asked each second by whoever balances, of each replica


def measure(bench: Bench) -> Iterator[Row]:
    count = QUESTIONS_QUICK if bench.quick else QUESTIONS
    with serving("wsgi") as port:
        yield bench.row(
            "/health/ready, p99",
            lambda: asked(port, "/health/ready", count),
            unit="ms",
            beside="/health/live, which asks nothing",
            peer=lambda: asked(port, "/health/live", count),
            goal=Goal(at_most=READY_MS_MAX),
        )


def asked(port: int, path: str, count: int) -> float:
    """The slowest but one percent of `count` answers over one connection, in milliseconds."""
    connection = http.client.HTTPConnection(HOST, port, timeout=PAGE_SECONDS)
    try:
        return p99([milliseconds(lambda: fetch(connection, path)) for _ in range(count)])
    finally:
        connection.close()
