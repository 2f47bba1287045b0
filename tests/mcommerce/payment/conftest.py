"""A payment provider of one's own on a free port, someone who catches its webhooks, and a shopper with cards."""

import queue
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import requests
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.urls import reverse

from eventbus import Event, clock, testing
from eventbus.ids import uuid7
from eventbus.testing import sample
from mcommerce.events import OrderAwaitingPayment
from mcommerce.features.links import address_of
from mcommerce.payment.models import Payment
from mcommerce.payment.providers.sandbox import Sandbox
from mcommerce.payment.sandbox import SandboxProvider, serve
from tests.mcommerce.payment.lossy_line import Line
from tests.waiting import DEADLINE_SECONDS

API_KEY = "key-of-the-tests"
WEBHOOK_SECRET = "secret-of-the-tests"
SITE_URL = "https://shop.invalid"


def settle(*events: Event, **how: Any) -> None:
    """Let the payments handle. The orders of these tests are ids that nobody placed: who would look them up waits."""
    testing.settle(*events, only=["payment", "payment-checks", "payment-refunds"], **how)


@pytest.fixture(autouse=True)
def nobody_calls_the_company_inside_a_transaction(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """While it answers, locks would be held; and what was asked for is done also where the transaction rolls back."""
    inside: list[str] = []

    def call(shop: Sandbox, method: str, path: str, *given: Any, **rest: Any) -> Any:
        if connection.in_atomic_block:
            inside.append(f"{method} {path}")
        return ask(shop, method, path, *given, **rest)

    ask = Sandbox._call
    monkeypatch.setattr(Sandbox, "_call", call)
    yield
    assert inside == []


class Company:
    """The running company, seen from outside: its pages as a shopper sees them, its list of charges."""

    def __init__(self, ledger_path: Path) -> None:
        self.ledger_path = ledger_path
        self.port = 0
        self.provider: SandboxProvider | None = None
        self.open()

    def open(self) -> None:
        self.provider = serve(
            "127.0.0.1",
            self.port,
            ledger_path=self.ledger_path,
            api_key=API_KEY,
            webhook_secret=WEBHOOK_SECRET,
            now=lambda: clock.now().timestamp(),
            hold_seconds=0,
            answers_lost=2,
            late_webhook_seconds=None,
        )
        self.url = self.provider.url
        self.port = int(self.url.rpartition(":")[2])

    def close(self) -> None:
        if self.provider is not None:
            self.provider.close()
            self.provider = None

    def pay(self, page: str, number: str, *, expiry: str = "12/35", cvc: str = "123") -> requests.Response:
        """Send the card form, and stay where the company's answer leads."""
        return requests.post(page, data={"number": number, "expiry": expiry, "cvc": cvc}, allow_redirects=False)

    def confirm(self, page: str, answer: str) -> requests.Response:
        return requests.post(f"{page}/confirm", data={"answer": answer}, allow_redirects=False)

    def call(self, method: str, path: str, body: Any = None, *, key: str = "") -> requests.Response:
        headers = {"Authorization": f"Bearer {API_KEY}"} | ({"Idempotency-Key": key} if key else {})
        return requests.request(method, f"{self.url}{path}", json=body, headers=headers)

    def charges(self) -> list[dict[str, Any]]:
        charged: list[dict[str, Any]] = self.call("GET", "/v1/charges").json()["charges"]
        return charged


@pytest.fixture
def company(settings: Any, tmp_path: Path) -> Iterator[Company]:
    cache.clear()  # what earlier tests asked too often
    company = Company(tmp_path / "company.sqlite3")
    settings.SANDBOX_PROVIDER_URL = company.url
    settings.SANDBOX_PROVIDER_KEY = API_KEY
    settings.SANDBOX_WEBHOOK_SECRET = WEBHOOK_SECRET
    settings.SITE_URL = SITE_URL
    settings.PAYMENT_PROVIDER = "sandbox"
    yield company
    company.close()


@dataclass(frozen=True)
class Caught:
    """A webhook as it was sent."""

    body: bytes
    signature: str


class Catcher:
    """Stands where the shop's webhooks arrive. It answers with `statuses` in turn, then with 200."""

    def __init__(self) -> None:
        self.caught: queue.Queue[Caught] = queue.Queue()
        self.statuses: list[int] = []
        catcher = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                catcher.caught.put(Caught(body, self.headers["Sandbox-Signature"]))
                self.send_response(catcher.statuses.pop(0) if catcher.statuses else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.host = f"127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.05,))
        self.thread.start()

    def next(self) -> Caught:
        return self.caught.get(timeout=DEADLINE_SECONDS)

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


@pytest.fixture
def catcher() -> Iterator[Catcher]:
    catcher = Catcher()
    yield catcher
    catcher.close()


class Shopper:
    """Somebody with a browser."""

    def __init__(self) -> None:
        self.client = Client()

    def go_to_pay(self, order_id: UUID) -> Any:
        return self.client.post(reverse("payment:pay", args=[order_id]))

    def page_to_pay(self, order_id: UUID) -> str:
        answer = self.go_to_pay(order_id)
        assert answer.status_code == 302, answer.content
        return str(answer.url)

    def come_back(self, order_id: UUID) -> Any:
        payment = Payment.objects.get(order_id=order_id)
        return self.client.get(reverse("payment:return", args=[payment.id]))


def page_of(order_id: UUID) -> str:
    """Where a shopper is led afterwards: to the front page, on a site without orders."""
    return address_of("orders:order", order_id) or "/"


@pytest.fixture
def shopper() -> Shopper:
    return Shopper()


@pytest.fixture
def tell() -> Callable[..., None]:
    """Publish events and let everybody hear them."""
    return settle


@pytest.fixture
def order_id(company: Company, transactional_db: None, bus_clock: Any, tell: Any) -> UUID:
    """An order of 19 euros that waits for its money for half an hour."""
    order_id = uuid7()
    expires_at = clock.now() + timedelta(minutes=30)
    about = {"order_id": order_id, "email": "ada@example.com", "expires_at": expires_at}
    tell(sample(OrderAwaitingPayment, amount=1900, currency="EUR", **about))
    return order_id


@pytest.fixture
def payment_of() -> Any:
    return lambda order_id: Payment.objects.get(order_id=order_id)


@pytest.fixture
def session(company: Company) -> dict[str, Any]:
    """A session at the company, opened without the shop."""
    return open_session(company)


def open_session(company: Company, *, key: str = "first", **changes: Any) -> dict[str, Any]:
    body = {
        "reference": "order-1",
        "amount": 1900,
        "currency": "EUR",
        "return_url": "http://127.0.0.1:9/return",
        "webhook_url": "http://127.0.0.1:9/webhook",
        "expires_at": clock.now().timestamp() + 600,
        "language": "en",
    }
    opened = company.call("POST", "/v1/sessions", body | changes, key=key)
    assert opened.status_code == 200, opened.text
    told: dict[str, Any] = opened.json()
    return told


@pytest.fixture
def visible_text() -> Any:
    return lambda html: " ".join(re.sub(r"<[^>]+>", " ", html).split())


@pytest.fixture
def line(company: Company, settings: Any) -> Iterator[Line]:
    """The shop reaches the company over a line that can lose answers."""
    line = Line(company.url)
    settings.SANDBOX_PROVIDER_URL = line.url
    yield line
    line.close()
