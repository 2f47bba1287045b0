"""A city of 2,500 stations with a year of history: its size, and the time of one moment of it.

    python -m benchmarks --only "a moment"

Prints the bytes of the year and of each change.
"""

import random
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from typing import Any

from django.db import connection
from django.test import Client
from django.urls import reverse

from benchmarks.measure import Goal, Row, milliseconds
from benchmarks.site import Bench
from stations.history import packing
from stations.history.samples import DAY_MS, HOUR_MS, MINUTE_MS, Sample, hours_of
from stations.history.samples import milliseconds as since_1970
from stations.models import FeedSpan, RecentChange, Station, StationDay, StationHours

STATIONS = 2_500
DAYS, DAYS_QUICK = 365, 30
CHANGES_A_DAY = 100  # of a station: 2.9 changes a second of all, more than JCDecaux's polled once a minute
KINDS_OF_DAYS = 300  # drawn; each is compressed alone, so that repeating them costs what others would
BATCH = 5_000  # rows of one statement
FEED, CITY = "simulator", "lyon"
MOMENT_MS_MAX = 300  # a slider that feels no wait
GIGABYTES_MAX = 2.0  # of a year
START = datetime(2026, 1, 1, tzinfo=UTC)


def measure(bench: Bench) -> Iterator[Row]:
    days = DAYS_QUICK if bench.quick else DAYS
    before = size()
    fill(days)
    of_a_year = (size() - before) * DAYS / days
    changes = STATIONS * DAYS * CHANGES_A_DAY
    print(
        f"a year: {of_a_year / 1e9:.2f} GB, {of_a_year / changes:.1f} bytes for each of {changes:,} changes", flush=True
    )
    if of_a_year > GIGABYTES_MAX * 1e9:
        raise SystemExit(f"A year takes more than {GIGABYTES_MAX} GB")
    draw, client, address = random.Random(1), Client(), reverse("stations:moment", args=[CITY])

    def play() -> None:
        at = int(START.timestamp()) + draw.randrange(60, days * 86_400 + 43_200)
        assert len(client.get(address, {"at": at}).json()["stations"]) == STATIONS

    yield bench.row(
        "a moment of a year, 2,500 stations",
        lambda: milliseconds(play),
        unit="ms",
        beside="their present state as JSON",
        peer=lambda: milliseconds(lambda: client.get(reverse("stations:state"))),
        goal=Goal(at_most=MOMENT_MS_MAX, firm=True),
    )


def fill(days: int) -> None:
    """Write so many packed days, and half a day that is not packed yet."""
    Station.objects.bulk_create(_station(number) for number in range(STATIONS))
    ids = list(Station.objects.filter(feed=FEED, contract=CITY).values_list("pk", flat=True))
    FeedSpan.objects.create(feed=FEED, since=START, until=START + timedelta(days=days, hours=12))
    kinds = cycle([_day(random.Random(seed)) for seed in range(KINDS_OF_DAYS)])
    wanted = ((START.date() + timedelta(days=day), one) for day in range(days) for one in ids)
    for some in batched(wanted, BATCH):
        drawn = list(islice(kinds, len(some)))
        pairs = list(zip(some, drawn, strict=True))
        StationDay.objects.bulk_create(StationDay(day=d, station_id=s, changes=c) for (d, s), (c, _) in pairs)
        StationHours.objects.bulk_create(StationHours(day=d, station_id=s, hours=h) for (d, s), (_, h) in pairs)
    _fill_recent(ids, START + timedelta(days=days))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def batched(rows: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Yield the rows in lists of this size. Python 3.12 has it."""
    rest = iter(rows)
    while some := list(islice(rest, size)):
        yield some


def _fill_recent(ids: list[int], begin: datetime) -> None:
    half = CHANGES_A_DAY // 2
    rows = (
        RecentChange(
            station_id=one, at=begin + timedelta(minutes=10 * n), version=n + 1, bikes=n % 20, stands=5, state=0
        )
        for one in ids
        for n in range(half)
    )
    for some in batched(rows, BATCH):
        RecentChange.objects.bulk_create(some)


def _day(draw: random.Random) -> tuple[bytes, bytes]:
    """Return a random day, packed: polled once a minute, at a fraction of a second that is the poll's."""
    minutes, capacity, bikes = sorted(draw.sample(range(1_440), CHANGES_A_DAY)), draw.randrange(15, 45), 10
    start, changes = since_1970(START), []
    for minute in minutes:
        bikes = max(0, min(capacity, bikes + draw.choice((-2, -1, -1, 1, 1, 2))))
        at = start + minute * MINUTE_MS + draw.randrange(MINUTE_MS)
        changes.append(Sample(at, bikes, draw.randrange(bikes + 1), capacity - bikes, 0))
    carried = changes[0]._replace(at=start, bikes=10)
    hours = hours_of([carried, *changes], [(start, start + DAY_MS)], start, start + DAY_MS)
    assert len(hours) == DAY_MS // HOUR_MS
    return packing.pack_changes(start, carried, changes), packing.pack_hours(hours)


def _station(number: int) -> Station:
    return Station(
        feed=FEED, station_id=f"{CITY}-{number}", contract=CITY, number=number, version=1, name=f"STATION {number}",
        lat=45.7 + number % 50 / 500, lng=4.8 + number // 50 / 500, status="OPEN", bikes=5, stands=5, capacity=10,
        first_seen=START, changed_at=START, polled_at=START,
    )  # fmt: skip


def size() -> int:
    """Return the bytes of the history's tables and indexes."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()")
            return int(cursor.fetchone()[0])
        total = 0
        for model in (StationDay, StationHours, RecentChange):
            cursor.execute("SELECT pg_total_relation_size(%s)", [model._meta.db_table])
            total += int(cursor.fetchone()[0])
        return total
