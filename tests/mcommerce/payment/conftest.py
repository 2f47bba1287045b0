"""A payment provider of one's own on a free port, someone who catches its webhooks, and a shopper with cards."""

from collections.abc import Iterator
from datetime import timedelta
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
from tests.mcommerce.payment.lossy_line import Catcher, Line

API_KEY = "key-of-the-tests"
WEBHOOK_SECRET = "secret-of-the-tests"
SITE_URL = "https://shop.invalid"
GOOD, DECLINED = "4242424242424242", "4000000000000002"
SECOND_STEP, LOST_ANSWER = "4000000000003220", "4000000000000341"


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


@pytest.fixture
def catcher() -> Iterator[Catcher]:
    catcher = Catcher()
    yield catcher
    catcher.close()


@pytest.fixture
def line(company: Company, settings: Any) -> Iterator[Line]:
    """The shop reaches the company over a line that can lose answers."""
    line = Line(company.url)
    settings.SANDBOX_PROVIDER_URL = line.url
    yield line
    line.close()


class Shopper:
    """Somebody with a browser, and an order that waits for its money."""

    def __init__(self, company: Company, order_id: UUID) -> None:
        self.client, self.company, self.order_id = Client(), company, order_id

    def press(self) -> Any:
        """Press Pay on the order's page."""
        return self.client.post(reverse("payment:pay", args=[self.order_id]))

    def page(self) -> str:
        """The company's page, where pressing Pay leads."""
        answer = self.press()
        assert answer.status_code == 302, answer.content
        return str(answer.url)

    def pay(self, number: str = GOOD) -> str:
        """Pay with a card; where the company's answer leads."""
        return self.company.pay(self.page(), number).headers["Location"]

    def come_back(self) -> Any:
        return self.client.get(reverse("payment:return", args=[self.payment.id]))

    @property
    def payment(self) -> Payment:
        """As it is in the database now."""
        return Payment.objects.get(order_id=self.order_id)


def page_of(order_id: UUID) -> str:
    """Where a shopper is led afterwards: to the front page, on a site without orders."""
    return address_of("orders:order", order_id) or "/"


@pytest.fixture
def order_id(company: Company, transactional_db: None, bus_clock: Any) -> UUID:
    """An order of 19 euros that waits for its money for half an hour."""
    order_id = uuid7()
    expires_at = clock.now() + timedelta(minutes=30)
    about = {"order_id": order_id, "email": "ada@example.com", "expires_at": expires_at}
    settle(sample(OrderAwaitingPayment, amount=1900, currency="EUR", **about))
    return order_id


@pytest.fixture
def shopper(company: Company, order_id: UUID) -> Shopper:
    return Shopper(company, order_id)


@pytest.fixture
def paid(shopper: Shopper) -> Payment:
    """A payment of 19 euros that succeeded."""
    shopper.pay()
    shopper.come_back()
    return shopper.payment
