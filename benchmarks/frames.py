"""What travels to a browser on the live map: bytes of one change, and of what a page of Lyon and of the world load.

Beside it the same stations whole, with all names, as JSON.
"""

import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec import structs

from benchmarks.measure import Goal, Row, milliseconds
from benchmarks.site import Bench
from stations.live.live_state import WORLD, LiveState
from stations.live.station_view import Change, StationView
from stations.simulator.simulated_world import World

CITY = "lyon"
NOW = datetime(2025, 6, 15, 15, tzinfo=UTC)
REPORTED_BEFORE = timedelta(seconds=17)  # the operator's word is older than our poll
TICK_AFTER = timedelta(milliseconds=350)
CHANGE_BYTES_MAX = 150
CITY_BYTES_MAX = 20_000  # of the 60 kB that a page of Lyon may load beside the libraries
WORLD_BYTES_MAX = 4_000
MANY_CITIES = 1_000
MANY_STATIONS = 100_000  # forty times the world of JCDecaux
MANY_MS = 500.0  # of the two seconds in which the world is seen


def measure(bench: Bench) -> Iterator[Row]:
    views = simulated()
    live = LiveState(views)
    whole = {"unit": "bytes", "beside": "whole stations, as JSON"}
    lyon = [view for view in views if view.contract == CITY]
    yield bench.row(
        "a station's change on the socket",
        lambda: mean_change(live, lyon),
        peer=lambda: sum(len(written(view)) for view in lyon) / len(lyon),
        goal=Goal(worst_at_most=CHANGE_BYTES_MAX, firm=True),
        **whole,
    )
    yield bench.row(
        "a city's stations at first, compressed",
        lambda: len(live.channel(CITY).snapshot()) + len(live.channel(WORLD).snapshot()),
        peer=lambda: len(zlib.compress(written(views))),
        goal=Goal(worst_at_most=CITY_BYTES_MAX, firm=True),
        **whole,
    )
    yield bench.row(
        "the world at first, compressed",
        lambda: len(live.channel(WORLD).snapshot()),
        peer=lambda: len(zlib.compress(written(views))),
        goal=Goal(worst_at_most=WORLD_BYTES_MAX, firm=True),
        **whole,
    )
    yield many(bench, views)


def many(bench: Bench, views: list[StationView]) -> Row:
    """The world of many cities, of which each has changed since the last time."""
    crowd = [
        structs.replace(views[number % len(views)], id=f"many/{number}", contract=f"city-{number % MANY_CITIES}")
        for number in range(MANY_STATIONS)
    ]
    live = LiveState(crowd)
    changed = crowd[:MANY_CITIES]

    def sums() -> None:
        live.apply([Change(one) for one in changed], at=NOW)
        live.sum_up(at=NOW)
        live._world._snapshot = None  # nobody had it yet
        live.channel(WORLD).snapshot()

    return bench.row(
        f"sums of {MANY_STATIONS} stations in {MANY_CITIES} cities",
        lambda: milliseconds(sums),
        unit="ms",
        beside="all stations as JSON, compressed",
        peer=lambda: milliseconds(lambda: zlib.compress(written(crowd))),
        goal=Goal(at_most=MANY_MS, ratio_min=1),
    )


def written(told: Any) -> bytes:
    return msgspec.json.encode(told)


def mean_change(live: LiveState, views: list[StationView]) -> float:
    """Bytes of a frame in which a bike is taken at one station, in the mean over a city."""
    return sum(len(taken(live, view)) for view in views) / len(views)


def taken(live: LiveState, view: StationView) -> str:
    now = live.find(view.id) or view
    later = now.polled_at + timedelta(minutes=1)
    told = {"polled_at": later, "reported_at": later - REPORTED_BEFORE, "version": now.version + 1}
    counts = {"bikes": now.bikes - 1, "mechanical": (now.mechanical or 0) - 1, "stands": (now.stands or 0) + 1}
    change = Change(structs.replace(now, **told, **counts), ("taken",), taken=1)
    seq = live.channel(view.contract).seq
    live.apply([change], at=later + TICK_AFTER)
    return live.channel(view.contract).delta(seq).text


def simulated() -> list[StationView]:
    rows = World(seed=1, clock=NOW.timestamp).stations("v3") or []
    return [view_of(row) for row in rows]


def view_of(row: dict[str, Any]) -> StationView:
    available, station_id = row["totalStands"]["availabilities"], f"{row['contractName']}-{row['number']}"
    return StationView(
        id=f"simulator/{station_id}",
        feed="simulator",
        station_id=station_id,
        contract=row["contractName"],
        number=row["number"],
        version=1,
        name=row["name"],
        address=row["address"],
        lat=row["position"]["latitude"],
        lng=row["position"]["longitude"],
        status=row["status"],
        bikes=available["bikes"],
        mechanical=available["mechanicalBikes"],
        electrical=available["electricalBikes"],
        stands=available["stands"],
        capacity=row["totalStands"]["capacity"],
        connected=row["connected"],
        banking=row["banking"],
        bonus=row["bonus"],
        overflow=row["overflow"],
        gone=False,
        held="",
        bad="",
        state="fresh" if row["status"] == "OPEN" else "closed",
        seen_at=None,
        reported_at=datetime.fromisoformat(row["lastUpdate"]) if row["lastUpdate"] else None,
        polled_at=NOW,
    )
