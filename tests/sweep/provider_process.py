"""The payment provider of a run: a process of its own, which outlives the site. And how to look into its books."""

import os
import sqlite3
import weakref
from typing import Any
from uuid import UUID

from mcommerce.payment.sandbox import serve, webhooks
from tests.sweep.run import Run

KEY, SECRET = "key-of-the-sweep", "secret-of-the-sweep"
IDLE_SECONDS = 0.02  # between looks at what is due: time jumps here


def found(run: Run) -> int:
    """Fork the company of a run, and return its process id once it answers."""
    ready, tell = os.pipe()
    child = os.fork()
    if not child:
        webhooks.IDLE_SECONDS = IDLE_SECONDS
        company = serve(
            "127.0.0.1",
            0,
            ledger_path=run.company_ledger,
            api_key=KEY,
            webhook_secret=SECRET,
            now=run.clock.seconds,
            hold_seconds=0.0,
            answers_lost=1,
        )
        os.write(tell, company.url.encode())
        os.close(tell)
        company.wait()
    os.close(tell)
    with os.fdopen(ready) as told:
        run.company_url = told.read()
    return child


class Books:
    """The company's ledger, read only."""

    def __init__(self, run: Run) -> None:
        self._address = f"file:{run.company_ledger}?mode=ro"
        self._database: sqlite3.Connection | None = None  # opened by whoever asks first, which is asked dozens of times

    def ask(self, query: str, *parameters: Any) -> list[sqlite3.Row]:
        if self._database is None:
            self._database = sqlite3.connect(self._address, uri=True, timeout=5)
            self._database.row_factory = sqlite3.Row
            weakref.finalize(self, self._database.close)
        return self._database.execute(query, parameters).fetchall()

    def next_webhook(self) -> float | None:
        """When the next one is due, in seconds since 1970."""
        return self.ask("SELECT min(due_at) AS due FROM delivery WHERE state = 'waiting'")[0]["due"]

    def sessions(self, order_id: UUID) -> int:
        """How many it has opened for an order."""
        query = "SELECT count(*) AS sessions FROM session WHERE reference = ?"
        return int(self.ask(query, str(order_id))[0]["sessions"])

    def declines(self, order_id: str) -> int:
        """How often it refused a card for an order."""
        query = "SELECT count(*) AS times FROM delivery WHERE body LIKE '%session.declined%' AND body LIKE ?"
        return int(self.ask(query, f"%{order_id}%")[0]["times"])
