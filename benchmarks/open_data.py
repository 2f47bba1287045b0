"""Open data under its promised load: fifty requests a second, whether answered or not, beside a static file."""

import http.client
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from queue import SimpleQueue

from django.conf import settings
from django.db import connections

from benchmarks.measure import Goal, Row, p99
from benchmarks.pages import HOST, PAGE_SECONDS, fetch, serving
from benchmarks.site import Bench
from eventbus import clock
from stations.models import PollRun, Station

PER_SECOND = 50
SECONDS, SECONDS_QUICK = 10, 4  # of a round
CONNECTIONS = 16  # more than are ever in use at once, unless answers take a third of a second
STATIONS = 2_600  # of all cities of JCDecaux
P99_MS_MAX = 1_000
STATIC = "/static/stations/land/land-110m.geojson"
LIST = "/stations/api/v1/stations?limit=100"


def measure(bench: Bench) -> Iterator[Row]:
    feed = settings.STATIONS_FEEDS[0]
    plant(feed)
    connections.close_all()
    seconds = SECONDS_QUICK if bench.quick else SECONDS
    status = f"/stations/feeds/{feed}/gbfs/3.0/station_status.json"
    with serving("wsgi") as port:
        for name, path in (("GBFS station_status", status), ("REST, 100 stations", LIST)):
            yield bench.row(
                f"{name} at {PER_SECOND} a second, p99",
                lambda path=path: asked(port, path, seconds),  # type: ignore[misc]
                unit="ms",
                beside="a static file",
                peer=lambda: asked(port, STATIC, seconds),
                goal=Goal(worst_at_most=P99_MS_MAX),
            )


def plant(feed: str) -> None:
    """Write the stations of a feed, as one good poll would have."""
    now = clock.now()
    times = {"first_seen": now, "changed_at": now, "polled_at": now, "reported_at": now}
    figures = {
        "version": 1,
        "status": "OPEN",
        "bikes": 7,
        "mechanical": 4,
        "electrical": 3,
        "stands": 9,
        "capacity": 18,
    }
    Station.objects.bulk_create(
        Station(
            feed=feed,
            station_id=f"lyon-{n}",
            contract="lyon",
            number=n,
            name=f"PLACE {n}",
            lat=45.7,
            lng=4.8,
            **figures,
            **times,
        )
        for n in range(1, STATIONS + 1)
    )
    PollRun.objects.create(feed=feed, started=now, ms=1, fetched=STATIONS, outcome=PollRun.Outcome.OK)


def asked(port: int, path: str, seconds: int) -> float:
    """The slowest but one percent of the answers, in milliseconds from when each request was due.

    A request that waits for a free connection is counted with its wait: the load does not slow down with the server.
    """
    free: SimpleQueue[http.client.HTTPConnection] = SimpleQueue()
    for _ in range(CONNECTIONS):
        free.put(http.client.HTTPConnection(HOST, port, timeout=PAGE_SECONDS))
    begins = time.perf_counter() + 0.05

    def ask(number: int) -> float:
        due = begins + number / PER_SECOND
        time.sleep(max(0.0, due - time.perf_counter()))
        connection = free.get()
        fetch(connection, path)
        free.put(connection)
        return (time.perf_counter() - due) * 1000

    with ThreadPoolExecutor(CONNECTIONS) as visitors:
        return p99(list(visitors.map(ask, range(seconds * PER_SECOND))))
