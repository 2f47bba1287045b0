"""Events that break their own world: a file says whose events do, and how.

Each way looks as if the database were away, and follows one caller while the database answers all others.
"""

import os
from pathlib import Path

from django.conf import settings
from django.db import connection

LOCK = 77  # whoever holds this advisory lock holds up the events of the caller who waits for a row
WAYS = {
    "statement timeout": ("SET LOCAL statement_timeout = '100ms'", "SELECT pg_sleep(30)"),
    "connection killed": ("SELECT pg_terminate_backend(pg_backend_pid())",),
    "out of memory": ("DO $$ BEGIN RAISE EXCEPTION 'out of memory' USING ERRCODE = 'out_of_memory'; END $$",),
    "row held": ("SET LOCAL lock_timeout = '500ms'", f"SELECT pg_advisory_xact_lock({LOCK})"),
}


def hurt(name: str) -> None:
    """Break the world of this caller's event, if the file says so. Raises OperationalError."""
    folder = Path(settings.CHAOS_FOLDER)
    try:
        way, _, poisoned = (folder / "poison").read_text().partition(":")
    except FileNotFoundError:
        return
    if poisoned != name:
        return
    with (folder / "poisoned").open("ab", buffering=0) as hits:
        hits.write(b".")
        os.fsync(hits.fileno())
    with connection.cursor() as cursor:
        for statement in WAYS[way]:
            cursor.execute(statement)
