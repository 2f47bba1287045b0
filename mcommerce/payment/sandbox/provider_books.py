"""The stand-in's ledger: one SQLite file, one transaction at a time."""

import os
import secrets
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

BUSY_TIMEOUT_SECONDS = 5.0  # two processes on one file (old and new of an autoreload): wait, do not fail
ID_BYTES = 18  # 144 random bits: anybody with a session's id may pay it

SCHEMA = """
CREATE TABLE IF NOT EXISTS session (
    id TEXT PRIMARY KEY,
    reference TEXT NOT NULL,
    amount INTEGER NOT NULL CHECK (amount > 0),
    currency TEXT NOT NULL,
    language TEXT NOT NULL,
    return_url TEXT NOT NULL,
    webhook_url TEXT NOT NULL,
    expires_at REAL NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('open', 'action_required', 'succeeded', 'expired')),
    revision INTEGER NOT NULL,
    last4 TEXT NOT NULL,
    decline_code TEXT NOT NULL,
    answers_to_lose INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS session_to_expire ON session (expires_at) WHERE status IN ('open', 'action_required');
CREATE TABLE IF NOT EXISTS charge (
    id TEXT PRIMARY KEY,
    session TEXT NOT NULL UNIQUE REFERENCES session (id),
    reference TEXT NOT NULL,
    amount INTEGER NOT NULL CHECK (amount > 0),
    currency TEXT NOT NULL,
    last4 TEXT NOT NULL,
    created_at REAL NOT NULL,
    refunded INTEGER NOT NULL DEFAULT 0 CHECK (refunded BETWEEN 0 AND amount)
) STRICT;
CREATE TABLE IF NOT EXISTS refund (
    id TEXT PRIMARY KEY,
    charge TEXT NOT NULL REFERENCES charge (id),
    amount INTEGER NOT NULL CHECK (amount > 0),
    created_at REAL NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS answer (
    key TEXT PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at REAL NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS delivery (
    id TEXT PRIMARY KEY,
    url TEXT NOT NULL,
    body TEXT NOT NULL,
    due_at REAL NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'delivered', 'given_up'))
) STRICT;
CREATE INDEX IF NOT EXISTS delivery_waiting ON delivery (due_at) WHERE state = 'waiting';
"""


class Ledger:
    """The books of the stand-in. Times are seconds since 1970, amounts are minor units."""

    def __init__(self, path: Path | str, now: Callable[[], float]) -> None:
        self.now = now
        self._lock = threading.Lock()
        if path != ":memory:":
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))  # SQLite makes it readable to everybody
        self._connection = sqlite3.connect(
            path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
        )
        self._connection.row_factory = sqlite3.Row
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA foreign_keys = ON")
        self._connection.executescript(SCHEMA)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit everything inside, or nothing; nobody else writes meanwhile."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def close(self) -> None:
        with self._lock:
            self._connection.close()


def new_id(kind: str) -> str:
    """Return a fresh id that cannot be guessed, such as "ses_...": its kind first, for readers of a log."""
    return f"{kind}_{secrets.token_hex(ID_BYTES)}"
