"""A world of many feeds, each of one city: its settings, and its rows, written by one statement for each table."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import NamedTuple

from django.db import connection, models
from django.test import override_settings

from stations.models import PollPlan, PollRun, Station, StationHistory

COLUMNS_OF_A_SQUARE = 40  # cities are laid out in rows, a degree apart
NUMBERS = "WITH RECURSIVE numbers(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM numbers WHERE i + 1 < {count})"
# A city's number within a statement about stations.
CITY = "(i / {each})"


class World(NamedTuple):
    """The number of feeds, each with one city, and the stations of each city."""

    feeds: int
    each: int

    @property
    def stations(self) -> int:
        return self.feeds * self.each

    @property
    def entries(self) -> list[str]:
        """The feeds as STATIONS_FEEDS names them."""
        return [f"gbfs:{city_name(number)}=https://{number}.example/gbfs.json" for number in range(self.feeds)]


def city_name(number: int) -> str:
    return f"city-{number}"


@contextmanager
def shown(world: World) -> Iterator[None]:
    """Show this world: the feeds are in the settings, and the tables hold its rows alone."""
    fill(world)
    with override_settings(STATIONS_FEEDS=world.entries):
        yield


def fill(world: World) -> None:
    """Write the rows of a world: every feed polled just now, every station with one change."""
    now = connection.ops.adapt_datetimefield_value(datetime.now(UTC))
    city = CITY.format(each=world.each)
    feed, contract = f"'gbfs:city-' || {city}", f"'city-' || {city}"
    place = {
        "lat": f"{city} / {COLUMNS_OF_A_SQUARE} - 20 + (i %% {world.each}) / 2000.0",
        "lng": f"{city} %% {COLUMNS_OF_A_SQUARE} - 20 + (i %% 13) / 200.0",
    }
    station = {"feed": feed, "contract": contract, "station_id": "'' || i", "version": "1", "status": "'OPEN'"}
    counts = {
        "bikes": "i %% 20",
        "mechanical": "i %% 20",
        "electrical": "0",
        "stands": "20 - i %% 20",
        "capacity": "20",
    }
    nothing = {"held": "''", "bad": "''", "address": "''", "gone": "false"}
    named = {"name": "'Station ' || i", "search": f"i || ' station ' || i || ' ' || {contract}", "number": "i"}
    times = dict.fromkeys(("first_seen", "changed_at", "polled_at"), "%s")
    _write(Station, world.stations, now, station | counts | nothing | named | place | times)
    change = {"kinds": "'[\"taken\"]'", "taken": "1", "returned": "0", "at": "%s"}
    _write(StationHistory, world.stations, now, station | counts | change)
    poll = {"feed": "'gbfs:city-' || i", "started": "%s", "ms": "1", "fetched": str(world.each), "outcome": "'ok'"}
    zeros = dict.fromkeys(("changed", "appeared", "gone", "jumps", "shifted"), "0")
    _write(PollRun, world.feeds, now, poll | zeros | {"bad": "'{}'", "reason": "''", "detail": "''"})
    plan = {"feed": "'gbfs:city-' || i", "running": "true", "interval_ms": "60000", "calls_left": "0"}
    _write(PollPlan, world.feeds, now, plan | {"changed_at": "%s"})
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _write(model: type[models.Model], count: int, now: object, values: dict[str, str]) -> None:
    """Replace a table's rows by `count` new ones. `values` are SQL by column: `i` counts the rows, `%s` is now."""
    table, columns = model._meta.db_table, ", ".join(values)
    chosen = ", ".join(values.values())
    numbers = NUMBERS.format(count=count)
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM {table}")
        cursor.execute(
            f"INSERT INTO {table} ({columns}) {numbers} SELECT {chosen} FROM numbers",
            [now] * chosen.count("%s"),
        )
