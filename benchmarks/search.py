"""The operators' pages when outbox and inbox have a million rows: overview, search by each kind of name, journey.

    python -m benchmarks --only "a million rows"

Prints a line for each page: milliseconds, kilobytes, queries.
"""

import statistics
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.test import Client
from django.urls import reverse

from benchmarks.desk import at_the_desk, look
from benchmarks.measure import Goal, Row, milliseconds
from benchmarks.rows import fill, uuid_of
from benchmarks.site import Bench
from eventbus import ids

ROWS, ROWS_QUICK = 1_000_000, 100_000  # of outbox and inbox
OF_FEATURES = 2_000  # orders, payments, products, stations
BATCH = 5_000  # rows of one statement
EVERY = timedelta(seconds=1)  # an event
BUSY_ONE_IN = 20  # events are of one station: 50,000 of a million
BUSY = "jcdecaux:city-1:1"
LOOKS = 10  # at each page, of a round
OVERVIEW_MS_MAX, SEARCH_MS_MAX, JOURNEY_MS_MAX = 300, 300, 500  # an operator feels no wait
OVERVIEW_QUERIES_MAX = 12
TOPIC, PARTITIONS = "orders", 12
GROUP = "products"


def measure(bench: Bench) -> Iterator[Row]:
    rows = ROWS_QUICK if bench.quick else ROWS
    fill(OF_FEATURES, but="eventbus")
    first = _fill_outbox(rows)
    overview, journey = reverse("overview"), reverse("journey")
    with at_the_desk() as client:
        looks = {name: look(client, f"{journey}?q={text}") for name, text in _handles(first, rows).items()}
        for name, one in looks.items():
            print(f"{name:<15} {one}", flush=True)
        at_overview = look(client, overview)
        print(f"{'overview':<15} {at_overview}", flush=True)
        for name, address, at_most in (
            ("overview in a million rows", overview, OVERVIEW_MS_MAX),
            ("search in a million rows, the slowest name's p95", _slowest(looks), SEARCH_MS_MAX),
            ("journey in a million rows, the busiest station's", f"{journey}?q={BUSY}", JOURNEY_MS_MAX),
        ):
            yield bench.row(
                name,
                lambda address=address: _p95(client, address),
                unit="ms",
                beside="the empty search box",
                peer=lambda: _p95(client, journey),
                goal=Goal(at_most=at_most),
            )
    if at_overview.queries > OVERVIEW_QUERIES_MAX:
        raise RuntimeError(
            f"The overview makes {at_overview.queries} queries, at most {OVERVIEW_QUERIES_MAX} are meant"
        )


def _slowest(looks: dict[str, Any]) -> str:
    found: str = max(looks.values(), key=lambda one: one.ms).address
    return found


def _p95(client: Client, address: str) -> float:
    times = [milliseconds(lambda: client.get(address)) for _ in range(LOOKS)]
    return statistics.quantiles(times, n=20, method="inclusive")[-1]


def _handles(first: datetime, rows: int) -> dict[str, str]:
    """Return a text for each kind of name that the search box takes."""
    middle = rows // 2 + 1
    return {
        "order number": "M-001500",
        "e-mail": "ada-1500@example.com",
        "order id": str(uuid_of(1_500)),
        "payment": str(uuid_of(1_501)),
        "product": "VASE-1500",
        "station": BUSY,
        "event": str(_event_id(first, middle)),
        "correlation": str(_correlation_id(first, middle)),
        "trace": f"00-{_correlation_id(first, middle).hex}-0000000000000001-01",
    }


def _fill_outbox(rows: int) -> datetime:
    """Add events that one group has handled, a second apart, and return the time of the first."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM eventbus_outbox")
        cursor.execute("DELETE FROM eventbus_inbox")
        first = datetime.now(UTC).replace(microsecond=0) - rows * EVERY
        made = _rows(first, rows)
        while batch := list(islice(made, BATCH)):
            cursor.executemany(
                "INSERT INTO eventbus_outbox (event_id, topic, type, key, payload, headers, created_at, partition,"
                " log_offset, appended_at, rejected) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, '')",
                [one for one, _inbox in batch],
            )
            cursor.executemany(
                'INSERT INTO eventbus_inbox ("group", event_id, replay, handled_at) VALUES (%s, %s, 0, %s)',
                [inbox for _one, inbox in batch],
            )
        cursor.execute("ANALYZE")
    return first


def _rows(first: datetime, rows: int) -> Iterator[tuple[tuple[Any, ...], tuple[Any, ...]]]:
    sqlite = connection.vendor == "sqlite"
    for i in range(rows):
        at = first + i * EVERY
        key = BUSY if i % BUSY_ONE_IN == 0 else str(uuid_of(i % OF_FEATURES))
        event_id = _event_id(first, i)
        correlation = _correlation_id(first, i)
        headers = (
            f'{{"correlationid":"{ids.text(correlation)}","traceparent":"00-{correlation.hex}-0000000000000001-01"}}'
        )
        stored = event_id.hex if sqlite else event_id
        partition, offset = i % PARTITIONS, i // PARTITIONS
        payload = b'{"order_id":"01a21320-3f1e-7000-84d0-2123104b55a2","amount":1900,"currency":"EUR"}'
        yield (
            (stored, TOPIC, "order.paid.v1", key, payload, headers, at, partition, offset, at),
            (GROUP, stored, at),
        )


def _event_id(first: datetime, i: int) -> UUID:
    return _uuid7(first + i * EVERY, i)


def _correlation_id(first: datetime, i: int) -> UUID:
    return _uuid7(first + i * EVERY, i + (1 << 40))


def _uuid7(at: datetime, number: int) -> UUID:
    return UUID(int=int(at.timestamp() * 1000) << 80 | 7 << 76 | 2 << 62 | number)
