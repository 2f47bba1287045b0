"""One poll of 2,550 stations: ask over HTTP, decode, filter, find what changed, write it and tell it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from typing import Any

import msgspec
from django.db import transaction
from django.utils.timezone import now

from benchmarks.measure import Goal, Row, milliseconds
from benchmarks.site import Bench
from stations.feeds.formats.jcdecaux import JCDecauxFeed
from stations.models import Station
from stations.polling.poller import Poller
from stations.simulator.simulated_world import World

STATIONS = 2_550  # what JCDecaux lists
PERCENTS = (2, 10)  # a quiet and a busy minute

Answer = list[dict[str, Any]]


def measure(bench: Bench) -> Iterator[Row]:
    asleep = World(seed=1, clock=lambda: 1_750_000_000.0).stations("v3") or []
    for percent in PERCENTS:
        answers = two_answers(asleep[:STATIONS], changed=STATIONS * percent // 100)
        with feed_giving(answers) as feed:
            poller, bodies = Poller(feed), cycle(answers)
            yield bench.row(
                f"poll, {percent} % changed",
                lambda poller=poller: milliseconds(poller.poll),
                unit="ms",
                beside="plain Django: decode and bulk upsert of all, telling nobody",
                peer=lambda bodies=bodies: milliseconds(lambda: upsert_all(next(bodies))),
                goal=Goal(ratio_min=1, at_most=150),
            )


def two_answers(rows: Answer, *, changed: int) -> list[bytes]:
    """Two answers that differ at `changed` stations by one bike: whoever gets them in turn sees that many changes."""
    if len(rows) < STATIONS:
        raise ValueError(f"the simulated world has only {len(rows)} stations")
    one, other = deepcopy(rows), deepcopy(rows)
    for row in one[:changed]:
        _move_a_bike(row, 2, 1)
    for row in other[:changed]:
        _move_a_bike(row, 1, 2)
    return [msgspec.json.encode(one), msgspec.json.encode(other)]


def _move_a_bike(row: dict[str, Any], bikes: int, stands: int) -> None:
    for place in ("totalStands", "mainStands"):
        row[place] = {"capacity": 10, "availabilities": {"bikes": bikes, "stands": stands}}


@contextmanager
def feed_giving(answers: list[bytes]) -> Iterator[JCDecauxFeed]:
    """JCDecaux's client, asking a server of this process that gives the answers in turn."""
    bodies = cycle(answers)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = next(bodies)
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        feed = JCDecauxFeed(base_url=f"http://127.0.0.1:{server.server_port}/vls/v3", source="benchmark")
        yield feed
        feed.close()
        server.shutdown()


def upsert_all(body: bytes) -> None:
    """What one writes first: no look at what changed, no history, no event."""
    seen = now()
    stations = [_station(row, seen) for row in msgspec.json.decode(body)]
    keys = ("feed", "station_id")
    fields = [field.name for field in Station._meta.concrete_fields if field.name not in (*keys, "id", "first_seen")]
    with transaction.atomic():
        Station.objects.bulk_create(stations, update_conflicts=True, unique_fields=keys, update_fields=fields)


def _station(row: dict[str, Any], seen: Any) -> Station:
    stands = row["totalStands"]["availabilities"]
    return Station(
        feed="plain",
        station_id=str(row["number"]),
        contract=row["contractName"].casefold(),
        number=row["number"],
        version=1,
        name=row["name"],
        address=row["address"],
        lat=row["position"]["latitude"],
        lng=row["position"]["longitude"],
        status=row["status"],
        bikes=stands["bikes"],
        stands=stands["stands"],
        capacity=row["totalStands"]["capacity"],
        connected=row["connected"],
        banking=row["banking"],
        bonus=row["bonus"],
        overflow=row["overflow"],
        first_seen=seen,
        changed_at=seen,
        polled_at=seen,
    )
