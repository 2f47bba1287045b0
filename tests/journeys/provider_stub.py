"""The payment provider, at home or away, with its own list of charges."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import requests

from eventbus import clock
from mcommerce.payment.sandbox import SandboxProvider, serve
from tests.outside.raw_server import Mumbler, hang_up

KEY, SECRET = "key-of-the-tests", "secret-of-the-tests"


class Company:
    """Runs from the beginning; to the shop it is away after `go_away`."""

    def __init__(self, ledger_path: Path, settings: Any) -> None:
        self._settings, self._ledger_path = settings, ledger_path
        self._provider: SandboxProvider = serve(
            "127.0.0.1",
            0,
            ledger_path=ledger_path,
            api_key=KEY,
            webhook_secret=SECRET,
            now=lambda: clock.now().timestamp(),
            hold_seconds=0,
            answers_lost=2,
            late_webhook_seconds=None,
        )
        self._away = Mumbler(hang_up)
        self.come_back()

    @property
    def url(self) -> str:
        return self._provider.url

    @property
    def asked_while_away(self) -> int:
        return self._away.callers

    def go_away(self) -> None:
        """Whoever calls is heard by nobody. Shoppers who have a page still see it."""
        self._settings.SANDBOX_PROVIDER_URL = self._away.url

    def come_back(self) -> None:
        self._settings.SANDBOX_PROVIDER_URL = self._provider.url

    def type_card(self, page: str, number: str) -> None:
        requests.post(
            page, data={"number": number, "expiry": "12/40", "cvc": "123"}, allow_redirects=False, timeout=10
        ).raise_for_status()

    def open_page(self, **session: object) -> str:
        """A page to pay at that the shop has not asked for, or has forgotten."""
        headers = {"Authorization": f"Bearer {KEY}", "Idempotency-Key": f"opened elsewhere {uuid4()}"}
        answer = requests.post(f"{self.url}/v1/sessions", json=session, headers=headers, timeout=10)
        answer.raise_for_status()
        return str(answer.json()["url"])

    def charges(self) -> list[tuple[int, int]]:
        """Of each: what was taken, and what went back."""
        headers = {"Authorization": f"Bearer {KEY}"}
        answer = requests.get(f"{self.url}/v1/charges", headers=headers, timeout=10)
        return [(charge["amount"], charge["refunded"]) for charge in answer.json()["charges"]]

    def give_back(self, charge: str, amount: int) -> None:
        """Somebody sends money back by hand, at the company's own desk."""
        headers = {"Authorization": f"Bearer {KEY}", "Idempotency-Key": f"by hand {amount}"}
        asked = {"charge": charge, "amount": amount}
        requests.post(f"{self.url}/v1/refunds", json=asked, headers=headers, timeout=10).raise_for_status()

    def forget_refunds(self) -> None:
        """Its books are an older copy, of a time when nothing had gone back."""
        with closing(sqlite3.connect(self._ledger_path)) as books, books:
            books.execute("DELETE FROM refund")
            books.execute("UPDATE charge SET refunded = 0")

    def close(self) -> None:
        self._provider.close()
        self._away.close()
