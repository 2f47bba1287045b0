"""What an event costs from publisher to handler when outbox and inbox are long, beside the same when they are short."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from django.db import connection

from benchmarks.handling import GROUP, make_ledger, work
from benchmarks.measure import Goal, Row, rate
from benchmarks.relay import drain, publish_many
from benchmarks.sales import skip_backlog
from benchmarks.site import Bench
from eventbus import backends, registry
from eventbus.consuming.worker import Worker
from eventbus.publishing.relay import Relay
from tests.eventbus.load_app.processes import database_of_its_own

SHORT, LONG = 1_000, 1_000_000  # rows in the outbox and in the inbox
LONG_QUICK = 100_000
EVENTS = 1_000  # of one round
COST_RATIO_MAX = 1.2  # of an event in long tables to one in short ones
TOPIC = "benchmark"
_HERE = f"topic = '{TOPIC}' AND partition = 0 AND log_offset IS NOT NULL"
_NOW = "CURRENT_TIMESTAMP"
_PAYLOAD = '{"order_id": "01a21320-3f1e-7000-84d0-2123104b55a2", "amount": 1900, "currency": "EUR"}'


def measure(bench: Bench) -> Iterator[Row]:
    long = LONG_QUICK if bench.quick else LONG
    with site_with(long) as in_long, site_with(SHORT) as in_short:
        yield bench.row(
            "an event in long tables",
            in_long.rate,
            unit="events/s",
            beside=f"the same at {SHORT:,} rows; long: {long:,}",
            peer=in_short.rate,
            goal=Goal(ratio_min=1 / COST_RATIO_MAX, firm=True),
        )


class Site:
    """A process with a database of its own, whose outbox and inbox have so many rows before each round."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdin and process.stdout
        self._asks, self._answers = process.stdin, process.stdout

    def rate(self) -> float:
        """Events a second, of one round."""
        print("go", file=self._asks, flush=True)
        return float(self._answers.readline())


@contextmanager
def site_with(rows: int) -> Iterator[Site]:
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="growth-"))
        url = stack.enter_context(database_of_its_own(Path(folder)))
        process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.growth_process", str(rows)],
            env={**os.environ, "DATABASE_URL": url, "VAR_DIR": folder},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with process:
            yield Site(process)


def answer(rows: int) -> Iterator[float]:
    """A rate for each round that is asked for. What the last one added is gone again where that would be much."""
    make_ledger()
    fill(rows)
    for _ in sys.stdin:
        if rows == SHORT:
            empty()
            fill(rows)
        yield cost()


def cost() -> float:
    return rate(_publish_relay_and_handle, count=EVENTS)


def _publish_relay_and_handle() -> None:
    publish_many(EVENTS)
    drain(Relay(backends.current()))
    work(Worker(registry.groups[GROUP], backends.current()))


def empty() -> None:
    tables = ("eventbus_outbox", "eventbus_inbox")
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"TRUNCATE {', '.join(tables)}")
        else:
            for table in tables:
                cursor.execute(f"DELETE FROM {table}")


def fill(rows: int) -> None:
    """Add events that GROUP has handled, until outbox and inbox hold so many."""
    postgres = connection.vendor == "postgresql"
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM eventbus_outbox")
        missing = rows - cursor.fetchone()[0]
        cursor.execute(f"SELECT coalesce(max(log_offset) + 1, 0) FROM eventbus_outbox WHERE {_HERE}")
        begin = cursor.fetchone()[0]
        numbers = "generate_series(0, %s) AS n (i)" if postgres else "n"
        counting = "" if postgres else "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < %s) "
        cursor.execute(
            f"{counting}INSERT INTO eventbus_outbox (event_id, topic, type, key, payload, headers, created_at,"
            " partition, log_offset, appended_at, rejected)"
            f" SELECT {'gen_random_uuid()' if postgres else 'lower(hex(randomblob(16)))'}, '{TOPIC}',"
            f" 'benchmark.sale_made.v1', 'key' || i, {_payload(postgres)}, '{{}}', {_NOW}, 0, {begin} + i, {_NOW}, ''"
            f" FROM {numbers}",
            [missing - 1],
        )
        cursor.execute(
            'INSERT INTO eventbus_inbox ("group", event_id, replay, handled_at)'
            f" SELECT '{GROUP}', event_id, 0, {_NOW} FROM eventbus_outbox WHERE {_HERE} AND log_offset >= {begin}"
        )
        if postgres:
            cursor.execute("ANALYZE eventbus_outbox, eventbus_inbox")
    backends.current().reset()
    skip_backlog()


def _payload(postgres: bool) -> str:
    return f"convert_to('{_PAYLOAD}', 'UTF8')" if postgres else f"CAST('{_PAYLOAD}' AS blob)"
