"""The sandbox payment provider without its sockets: its own API, pages, books and webhooks, called one at a time."""

import json
import sqlite3
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests

from eventbus import clock
from mcommerce.payment.sandbox.api import Api
from mcommerce.payment.sandbox.http_messages import Request, Response
from mcommerce.payment.sandbox.payment_page import Checkout
from mcommerce.payment.sandbox.provider_books import Ledger
from mcommerce.payment.sandbox.sessions import Lateness

URL, KEY, SECRET = "https://company.example", "key-of-the-tests", "secret-of-the-tests"
ANSWERS_LOST = 2  # questions about a charge of the lost-answer card that get no answer


class Company:
    """What the shop's HTTP client reaches. `trouble` is what the next call meets: "down" or "lost"."""

    def __init__(self) -> None:
        self._ledger = Ledger(":memory:", lambda: clock.now().timestamp())
        self._api = Api(self._ledger, key=KEY, url=URL)
        self._checkout = Checkout(self._ledger, lateness=Lateness(ANSWERS_LOST, webhook_seconds=None))
        self.trouble = ""

    def close(self) -> None:
        self._ledger.close()

    def send(self, asked: requests.PreparedRequest, **options: Any) -> requests.Response:
        """In place of requests' HTTPAdapter.send."""
        trouble, self.trouble = self.trouble, ""
        if trouble == "down":
            raise requests.ConnectTimeout("the company does not pick up")
        parts = urlsplit(asked.url or "")
        headers = {name.title(): value for name, value in asked.headers.items()}
        body = asked.body.encode() if isinstance(asked.body, str) else asked.body or b""
        told = self._api.answer(Request(asked.method or "GET", parts.path, parts.query, headers, body))
        if trouble == "lost" or told.lost:
            raise requests.ReadTimeout("the company did it, or not; its answer is lost")
        answer = requests.Response()
        answer.status_code, answer._content, answer._content_consumed = told.status, told.body, True
        return answer

    def pay(self, page: str, card: str) -> None:
        """Somebody types this card at a page."""
        self._post(urlsplit(page).path, {"number": card, "expiry": "12/35", "cvc": "123"})

    def confirm(self, page: str, *, approve: bool) -> None:
        """Somebody answers their bank."""
        self._post(f"{urlsplit(page).path}/confirm", {"answer": "approve" if approve else "refuse"})

    def _post(self, path: str, fields: dict[str, str]) -> Response:
        return self._checkout.answer(Request("POST", path, "", {}, urlencode(fields).encode()))

    # --- what it says by itself ------------------------------------------------------------------------------------

    def webhooks(self) -> list[bytes]:
        """Every webhook there was, oldest first; those of sessions that ended by themselves too."""
        return [row["body"].encode() for row in self._rows("SELECT * FROM delivery ORDER BY rowid")]

    def forged(self, page: str) -> bytes:
        """A webhook that it never told: this session is paid."""
        session_id = urlsplit(page).path.rpartition("/")[2]
        [session] = self._rows("SELECT * FROM session WHERE id = ?", session_id)
        told = {name: session[name] for name in ("id", "reference", "amount", "currency", "expires_at", "last4")}
        revision = session["revision"] + 1
        told |= {"status": "succeeded", "revision": revision, "decline_code": "", "charge": f"chg_forged_{session_id}"}
        event_id = f"evt_forged_{session_id}_{revision}"
        return json.dumps({"id": event_id, "type": "session.succeeded", "created": 0, "session": told}).encode()

    # --- its books -------------------------------------------------------------------------------------------------

    def charges(self) -> list[sqlite3.Row]:
        """Columns id, reference (the order), amount, refunded."""
        return self._rows("SELECT * FROM charge ORDER BY rowid")

    def refunds(self) -> list[sqlite3.Row]:
        """Columns id, charge, amount."""
        return self._rows("SELECT * FROM refund ORDER BY rowid")

    def _rows(self, question: str, *values: str) -> list[sqlite3.Row]:
        with self._ledger.transaction() as db:
            return db.execute(question, values).fetchall()
