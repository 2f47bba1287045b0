"""A shelf of things for sale as the orders know it, someone who shops, and orders in every state."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth import get_user_model
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from eventbus.ids import uuid7
from mcommerce.events import ProductPublished
from mcommerce.orders import access
from mcommerce.orders.models import Cart, Offer, Order
from mcommerce.orders.open_sockets import live_orders
from mcommerce.orders.services import lifecycle, offers, payment_status
from mcommerce.orders.services.checkout import Buyer, place_order
from mcommerce.web.slots import registry

NOW = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
STAFF = UUID(int=7)  # the id of whoever decides at the desk
BUYER = Buyer(
    email="ada@example.com",
    name="Ada Lovelace",
    street="12 rue des Fleurs",
    postal_code="69001",
    city="Lyon",
    country="FR",
    language="en",
)
TYPED = ("email", "name", "street", "postal_code", "city", "country", "language")
ANSWERS = {name: getattr(BUYER, name) for name in TYPED} | {"extra": "", "terms": "on"}


def put_up(price: int = 1_900, **fields: Any) -> Offer:
    """Have the orders hear that something is for sale."""
    words: dict[str, Any] = {
        "product_id": uuid7(),
        "sku": "VASE-1",
        "slug": "vase",
        "title": {"fr": "Vase bavard", "en": "Talking vase"},
        "price": price,
        "currency": "EUR",
        "tax_rate": 2_000,
        "image": "",
        "version": 1,
    } | fields
    offers.keep_published(ProductPublished(**words))
    return Offer.objects.get(product_id=words["product_id"])


def change_price(offer: Offer, price: int) -> None:
    """Have the orders hear that it costs something else now."""
    put_up(price, product_id=offer.product_id, version=offer.version + 1)


@pytest.fixture(autouse=True)
def noon(bus_clock: Any) -> None:
    """It is `NOW` until a test moves the clock."""
    bus_clock.hold(NOW)


@pytest.fixture(autouse=True)
def no_installed_fragments(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the fragments of all installed apps off the pages and sockets: these tests expect exact ones."""
    monkeypatch.setattr(registry, "_fragments", defaultdict(list))


class Shopper:
    """Someone with a browser."""

    def __init__(self, **client: Any) -> None:
        self.browser = Client(**client)

    def add(self, offer: Offer, quantity: int = 1) -> HttpResponse:
        return self.browser.post(reverse("orders:add"), {"product_id": offer.product_id, "quantity": quantity})

    def change(self, offer: Offer, quantity: int, **how: Any) -> HttpResponse:
        return self.browser.post(
            reverse("orders:change"), {"product_id": offer.product_id, "quantity": quantity}, **how
        )

    def look_at_cart(self) -> str:
        return self.browser.get(reverse("orders:cart")).content.decode()

    def check_out(self, **answers: Any) -> HttpResponse:
        """Look at the form, fill it in and send it; `token` is drawn unless given."""
        return self.browser.post(
            reverse("orders:checkout"), {**ANSWERS, "token": uuid4(), "seen": self.see_checkout(), **answers}
        )

    def see_checkout(self) -> str:
        """The cart as the checkout shows it now, for the form to send along; "" where there is nothing to see."""
        page = self.browser.get(reverse("orders:checkout"))
        return page.context["seen"] if page.status_code == 200 else ""

    def look_at(self, order: Order, **query: Any) -> HttpResponse:
        return self.browser.get(reverse("orders:order", args=[order.id]), query)

    def open_link(self, order: Order, key: str) -> HttpResponse:
        return self.browser.get(reverse("orders:open", args=[order.id]), {"key": key})

    def cancel(self, order: Order) -> HttpResponse:
        return self.browser.post(reverse("orders:cancel", args=[order.id]))


@pytest.fixture
def shopper(db: None) -> Shopper:
    return Shopper()


@pytest.fixture
def placed(db: None) -> Callable[..., Order]:
    """Places orders of one vase, or of the offers given."""

    def place(*wanted: Offer, buyer: Buyer = BUYER, token: UUID | None = None, now: datetime = NOW) -> Order:
        cart = Cart.objects.create(changed_at=now)
        for offer in wanted or (put_up(),):
            cart.lines.create(
                product_id=offer.product_id, quantity=1, agreed_price=offer.price, agreed_currency=offer.currency
            )
        return place_order(cart_id=cart.id, buyer=buyer, token=token or uuid4(), now=now)

    return place


@pytest.fixture
def waiting(placed: Callable[..., Order]) -> Order:
    """An order with everything set aside, not paid yet."""
    order = placed()
    lifecycle.await_payment(order_id=order.id, now=NOW)
    payment_status.note_opened(order_id=order.id)
    return fresh(order)


@pytest.fixture
def paid(waiting: Order) -> Order:
    """A paid order."""
    pay(waiting)
    return fresh(waiting)


def let_in(shopper: Shopper, order: Order) -> None:
    """As after placing it in this browser."""
    session = shopper.browser.session
    access.remember(session, order.id)
    session.save()
    shopper.browser.cookies["sessionid"] = session.session_key


@pytest.fixture
def person(db: None) -> Callable[..., Shopper]:
    """Someone signed in."""

    def signed_in(email: str, **fields: object) -> Shopper:
        shopper = Shopper()
        shopper.browser.force_login(get_user_model().objects.create_user(email=email, **fields))
        return shopper

    return signed_in


@pytest.fixture
def no_watch_left() -> Iterator[None]:
    yield
    live_orders.close()


@pytest.fixture
def listener(db: None, waiting: Order) -> Shopper:
    """The browser that placed the order."""
    shopper = Shopper()
    let_in(shopper, waiting)
    return shopper


def let_time_run_out(order: Order, *, now: datetime = LATER) -> None:
    """Nobody pays in time, and the payment provider says so."""
    lifecycle.expire(order_id=order.id, now=now)
    lifecycle.end_overdue(order_id=order.id, now=now)


def pay(order: Order, *, payment_id: UUID | None = None, amount: int | None = None, currency: str = "EUR") -> UUID:
    """Have the orders hear that money came."""
    payment_id = payment_id or order.payment_id or uuid7()
    lifecycle.take_payment(
        order_id=order.id,
        payment_id=payment_id,
        amount=order.total if amount is None else amount,
        currency=currency,
        now=LATER,
    )
    return payment_id


def about(order: Order) -> dict[str, Any]:
    """What each event says of the order that it is about."""
    return {"order_id": order.id, "order_number": order.number, "customer_id": order.customer_id}


def fresh(order: Order) -> Order:
    """The order as it is in the database now."""
    return Order.objects.get(id=order.id)
