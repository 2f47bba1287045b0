"""A world of more than a thousand feeds: its pages answer, and the page of a city reads that city's rows."""

import json
import re
from html import unescape

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from benchmarks.world import World, city_name, shown

pytestmark = pytest.mark.django_db(transaction=True)

MANY = World(feeds=1_200, each=3)  # SQLite takes no condition of a thousand parts
FEW = World(feeds=12, each=3)
CITY = city_name(7)
TABLES = ("stations_station", "stations_stationhistory", "stations_pollrun")


def test_the_page_of_a_city_reads_no_more_in_a_large_world(client: Client):
    with shown(FEW):
        few = rows_read(client, f"/stations/?contract={CITY}")
    with shown(MANY):
        many = rows_read(client, f"/stations/?contract={CITY}")

    assert 0 < many <= few


def test_the_page_of_a_city_holds_its_own_figures_and_a_way_to_all(client: Client):
    with shown(MANY):
        answer = client.get(f"/stations/?contract={CITY}")

    assert [(city.contract, city.stations, city.bikes) for city in answer.context["cities"]] == [(CITY, 3, 1 + 2 + 3)]
    page = unescape(answer.content.decode())
    assert re.findall(r'<option value="(.*?)"', page) == ["", CITY]
    assert city_name(8) not in page


def test_the_state_of_one_city_is_read_alone(client: Client):
    with shown(MANY):
        told = json.loads(client.get(f"/stations/state.json?contract={CITY}").content)

    assert {station["contract"] for station in told["stations"]} == {CITY}
    assert len(told["stations"]) == MANY.each


def rows_read(client: Client, path: str) -> int:
    """Return the work of a page's queries, as the database counts it: SQLite its steps, PostgreSQL the rows it read."""
    with CaptureQueriesContext(connection) as asked:
        assert client.get(path).status_code == 200
    of_stations = [one["sql"] for one in asked if any(table in one["sql"] for table in TABLES)]
    assert of_stations
    with connection.cursor() as cursor:
        return sum(_steps(sql) if connection.vendor == "sqlite" else _rows(cursor, sql) for sql in of_stations)


STEPS = 100  # of SQLite's machine, between two calls of our counter


def _steps(sql: str) -> int:
    counted = []
    connection.connection.set_progress_handler(lambda: counted.append(STEPS) and 0, STEPS)
    try:
        connection.connection.execute(sql).fetchall()
    finally:
        connection.connection.set_progress_handler(None, 0)
    return sum(counted)


def _rows(cursor: object, sql: str) -> int:
    """Of tables as small as these PostgreSQL reads each as a whole: it is told not to."""
    cursor.execute("SET enable_seqscan = off")
    cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}")
    [[plan]] = cursor.fetchall()
    cursor.execute("RESET enable_seqscan")
    return _counted(plan[0]["Plan"])


def _counted(step: dict[str, object]) -> int:
    read = step["Actual Rows"] + step.get("Rows Removed by Filter", 0)
    return int(read * step["Actual Loops"]) + sum(map(_counted, step.get("Plans", [])))
