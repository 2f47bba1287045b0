"""Somebody buys a vase: steps for tests with a shop in their own process, and a process that takes them.

That one sells on the database that the environment names, until all is quiet. `python -m tests.purchase_steps sell 5`
orders and pays five times; `open` orders once and prints the page to pay at; `rest` only lets the bus settle.
"""

import sys
import time
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

import django

if TYPE_CHECKING:
    from django.test import Client

    from mcommerce.products.models import Product

PAGE_SECONDS = 10  # the payment provider is a thread of the test
REST_SECONDS = 120  # for events of one order to go round, on a busy machine
LOOK_SECONDS, LOOKS = 0.2, 3  # an event that follows from another is told between two looks
GOOD_CARD = {"number": "4242424242424242", "expiry": "12/40", "cvc": "123"}
ANSWERS = {
    "email": "ada@example.com",
    "name": "Ada Lovelace",
    "street": "12 rue des Fleurs",
    "postal_code": "69001",
    "city": "Lyon",
    "country": "FR",
    "language": "en",
    "terms": "on",
}


def main(what: str, count: int) -> None:
    django.setup()
    from django.test.utils import setup_test_environment

    setup_test_environment()  # a page tells what it was made of
    rest()
    if what == "sell":
        for _ in range(count):
            pay(open_page())
            rest()
    elif what == "open":
        print(open_page()[1])
    rest()


def rest() -> None:
    """Return when everybody has heard what was told; over Kafka others handle, and this waits for them."""
    from eventbus import backends
    from eventbus.operations import status
    from eventbus.testing import settle

    if backends.current().in_process:
        settle()
        return
    deadline, calm = time.monotonic() + REST_SECONDS, 0
    while calm < LOOKS:
        found = status.status()
        calm = 0 if found.outbox.depth or any(one.lag != 0 for one in found.groups) else calm + 1
        assert time.monotonic() < deadline, status.problems(found, dispatches=True)
        time.sleep(LOOK_SECONDS)


def open_page() -> tuple[UUID, str]:
    """Somebody with a browser and an address of their own orders a vase; their order, and the page to pay at."""
    from django.test import Client
    from django.urls import reverse

    number = uuid4().int
    browser = Client(SERVER_NAME="127.0.0.1", REMOTE_ADDR=f"10.{number % 200}.{number // 200 % 200}.7")
    order_id = check_out(browser, vase())
    rest()
    return order_id, browser.post(reverse("payment:pay", args=[order_id])).url


def check_out(browser: "Client", product_id: UUID, quantity: int = 1) -> UUID:
    """Put it into the cart and order; nobody has heard of the order yet."""
    from django.urls import reverse

    browser.post(reverse("orders:add"), {"product_id": product_id, "quantity": quantity})
    seen = browser.get(reverse("orders:checkout")).context["seen"]
    answer = browser.post(reverse("orders:checkout"), {**ANSWERS, "token": uuid4(), "seen": seen})
    return UUID(answer.url.strip("/").split("/")[-1])


def pay(opened: tuple[UUID, str]) -> None:
    """They type a good card, and the shop asks the company."""
    import requests

    from eventbus import clock
    from mcommerce.payment.models import Payment
    from mcommerce.payment.services import payments

    order_id, page = opened
    requests.post(page, data=GOOD_CARD, allow_redirects=False, timeout=PAGE_SECONDS).raise_for_status()
    payments.ask_now(payment_id=Payment.objects.get(order_id=order_id).id, now=clock.now())


def vase() -> UUID:
    """The one thing that is sold, with plenty of pieces."""
    from mcommerce.products.models import Product

    found = Product.objects.filter(sku="VASE").first()
    if found is None:
        found = put_on_sale(pieces=100)
        rest()
    return found.id


def put_on_sale(*, pieces: int) -> "Product":
    """Vases at €19; nobody has heard of them yet."""
    from tests.factories import ProductFactory

    return ProductFactory(sku="VASE", pieces=pieces)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0)
