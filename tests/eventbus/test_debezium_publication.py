"""The publication of docs/debezium.md shows a reader of PostgreSQL's log each event once, and nothing else."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator

import psycopg
import pytest

from tests.eventbus.test_debezium import PAGE, SETTINGS
from tests.postgres import PostgresMissing, stoppable_cluster
from tests.reference.tables import ROOT

[SQL] = re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL)
[WAL_LEVEL] = re.findall(r"`wal_level = (\w+)`", PAGE)
PLUGIN = "pgoutput"
INSERT, UPDATE, DELETE = b"I", b"U", b"D"  # the first byte of a change, as this plug-in writes it
SITE_SECONDS = 180  # for a command of the site, on a busy machine
# An event goes the way that all go: the relay gives its row an offset, and in the end it is pruned.
EVENT = """
from datetime import timedelta
from django.db import transaction
from eventbus import clock, publish
from eventbus.models import OutboxRow
from eventbus.testing import sample, settle
from mcommerce.events import OrderPaid
with transaction.atomic():
    publish(sample(OrderPaid))
settle(only=[])
assert OutboxRow.objects.get().offset is not None
OutboxRow.objects.all().delete()
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a site on a PostgreSQL of its own, whose log is as the page wants it."""
    try:
        with stoppable_cluster() as cluster:
            with psycopg.connect(cluster.url, autocommit=True) as database:
                database.execute(f"ALTER SYSTEM SET wal_level = {WAL_LEVEL}")
                # What is committed is in the log that a reader sees: the clusters of tests write it later.
                database.execute("ALTER DATABASE postgres SET synchronous_commit = on")
            cluster.stop()
            cluster.start()
            kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
            site = kept | {"DATABASE_URL": cluster.url, "VAR_DIR": str(tmp_path_factory.mktemp("site")), "DEMO": "1"}
            manage(site, "migrate", "--verbosity=0")
            yield site
    except PostgresMissing as missing:
        pytest.skip(str(missing))


def manage(site: dict[str, str], *words: str) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", *words], cwd=ROOT, env=site, capture_output=True, text=True, timeout=SITE_SECONDS
    )
    assert done.returncode == 0, done.stderr


def changes(database: psycopg.Connection[tuple[object, ...]]) -> list[bytes]:
    """What a reader that is configured as on the page gets from the log. It is then gone."""
    options = ["proto_version", "1", "publication_names", SETTINGS["publication.name"]]
    rows = database.execute(
        "SELECT data FROM pg_logical_slot_get_binary_changes('debezium', NULL, NULL, %s, %s, %s, %s)", options
    )
    found = [bytes(data)[:1] for [data] in rows.fetchall() if isinstance(data, bytes)]
    return [one for one in found if one in (INSERT, UPDATE, DELETE)]


def test_a_reader_of_the_log_sees_each_event_once_and_no_change_of_its_row(site: dict[str, str]) -> None:
    with psycopg.connect(site["DATABASE_URL"], autocommit=True) as database:
        database.execute(SQL)
        database.execute("SELECT pg_create_logical_replication_slot('debezium', %s)", [SETTINGS["plugin.name"]])

        manage(site, "shell", "--verbosity=0", "--command", EVENT)

        assert changes(database) == [INSERT]


def test_the_publication_is_the_connectors_and_of_its_table_alone(site: dict[str, str]) -> None:
    with psycopg.connect(site["DATABASE_URL"]) as database:
        database.execute(SQL.replace(SETTINGS["publication.name"], "another"))
        tables = database.execute(
            "SELECT schemaname || '.' || tablename FROM pg_publication_tables WHERE pubname = 'another'"
        ).fetchall()
        database.rollback()

    assert SETTINGS["plugin.name"] == PLUGIN
    assert tables == [(SETTINGS["table.include.list"],)]
