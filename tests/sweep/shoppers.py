"""Who comes by: each shopper takes a few steps, and each step can be taken again after the site died in it."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID, uuid5

import requests
from django.conf import settings
from django.db import transaction

from eventbus import clock
from mcommerce.orders.models import Cart, CartLine, Offer, Order
from mcommerce.orders.services import lifecycle as orders
from mcommerce.orders.services.checkout import Buyer, place_order
from mcommerce.payment.models import Payment
from mcommerce.payment.providers.base import ProviderDown, ProviderTimeout
from mcommerce.payment.services import payments
from tests.letterbox import letters
from tests.sweep.provider_process import Books
from tests.sweep.run import Run

HOUSE = UUID("5eed5eed-5eed-4eed-8eed-5eed5eed5eed")  # names the shoppers' carts and forms: the same in every life
GOOD_CARD, DECLINED_CARD, LATE_CARD = "4242424242424242", "4000000000000002", "4000000000000341"
COMPANY_SECONDS = 5  # it is a process of this machine
State = Order.State
# What is done, and in which of the order's states; in another it waits.
Step = tuple[Callable[["Shopper"], object], tuple[str, ...]]


class End(NamedTuple):
    """How a shopper's order must end."""

    state: str
    reason: str = ""
    mails: tuple[str, ...] = ()
    charged: bool = False
    refunded: bool = False
    sold: bool = False
    put_back: bool = False  # sold, and back on the shelf


class Shopper:
    """One order's person. How many steps are taken is kept in a file, since the process may die between any two."""

    def __init__(self, run: Run, name: str, steps: tuple[Step, ...], sku: str) -> None:
        self.run, self.name, self.sku = run, name, sku
        self._steps = steps
        self._kept: Path = run.folder / f"steps-{name}"

    @property
    def token(self) -> UUID:
        return uuid5(HOUSE, f"form of {self.name}")

    @property
    def order(self) -> Order | None:
        return Order.objects.filter(checkout_token=self.token).first()

    def act(self) -> bool:
        """Take the next step if it is time. Whether one was taken; it raises what a shopper would see as a failure."""
        taken = len(self._kept.read_text()) if self._kept.exists() else 0
        if taken == len(self._steps):
            return False
        (do, when), order = self._steps[taken], self.order
        if taken and (order is None or order.state not in when):
            return False
        do(self)
        self._kept.write_text("." * (taken + 1))
        return True


# --- steps ---------------------------------------------------------------------------------------------------------


def place(shopper: Shopper) -> None:
    offer, now = Offer.objects.get(sku=shopper.sku), clock.now()
    with transaction.atomic():
        cart, _new = Cart.objects.get_or_create(
            id=uuid5(HOUSE, f"cart of {shopper.name}"), defaults={"changed_at": now}
        )
        if shopper.order is None:  # whoever died after ordering sends the form again, and fills no second cart
            CartLine.objects.get_or_create(
                cart=cart,
                product_id=offer.product_id,
                defaults={"quantity": 1, "agreed_price": offer.price, "agreed_currency": offer.currency},
            )
    buyer = Buyer(
        email=f"{shopper.name}@example.com",
        name=shopper.name.title(),
        street="12 rue des Fleurs",
        postal_code="69001",
        city="Lyon",
        country="FR",
        language="en",
    )
    place_order(cart_id=cart.id, buyer=buyer, token=shopper.token, now=now)


def open_page(shopper: Shopper) -> str:
    return payments.start_attempt(order_id=known(shopper).id, language="en", now=clock.now())


def type_card(number: str) -> Callable[[Shopper], None]:
    def type_it(shopper: Shopper) -> None:
        try:
            page = open_page(shopper)
        except payments.AlreadyPaid:
            return  # the site died after the card was charged: the shopper sees that it is paid
        form = {"number": number, "expiry": "12/40", "cvc": "123"}
        requests.post(page, data=form, allow_redirects=False, timeout=COMPANY_SECONDS).raise_for_status()

    return type_it


def come_back(shopper: Shopper) -> None:
    payments.ask_now(payment_id=Payment.objects.get(order_id=known(shopper).id).id, now=clock.now())


def cancel(shopper: Shopper) -> None:
    orders.cancel_by_customer(order_id=known(shopper).id, now=clock.now())


def cancel_as_staff(shopper: Shopper) -> None:
    orders.cancel_by_staff(order_id=known(shopper).id, by=uuid5(HOUSE, "staff"), now=clock.now())


def find_company_away(shopper: Shopper) -> None:
    """Nobody answers the door; then somebody does, and says nothing. Then the company is back.

    What was asked before the site died may have been asked again meanwhile, and answered: then the page is known.
    """
    for address, expected in ((nobody, ProviderDown), (silence, ProviderTimeout)):
        with address() as url, company_at(url):
            try:
                open_page(shopper)
            except expected:
                continue
            if not Books(shopper.run).sessions(known(shopper).id):
                raise AssertionError(f"a session was opened at a company that is away: {expected.__name__}")


def known(shopper: Shopper) -> Order:
    order = shopper.order
    assert order is not None, "no step but the first comes before the order"
    return order


@contextmanager
def company_at(url: str) -> Iterator[None]:
    kept, settings.SANDBOX_PROVIDER_URL = settings.SANDBOX_PROVIDER_URL, url
    try:
        yield
    finally:
        settings.SANDBOX_PROVIDER_URL = kept


@contextmanager
def nobody() -> Iterator[str]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@contextmanager
def silence() -> Iterator[str]:
    """Takes every call, and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as door:

        def hang_up() -> None:
            try:
                while True:
                    caller, _address = door.accept()
                    caller.recv(65_536)
                    caller.close()
            except OSError:
                return  # the door is closed

        thread = threading.Thread(target=hang_up, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{door.getsockname()[1]}"
        finally:
            door.shutdown(socket.SHUT_RDWR)
            thread.join()


# --- who -----------------------------------------------------------------------------------------------------------

WAITING = (State.AWAITING_PAYMENT,)
PLACE: Step = (place, ())
COME_BACK: Step = (come_back, tuple(State))
LATE: Step = (type_card(LATE_CARD), WAITING)
# Whoever died once the card was charged finds it paid.
PAY: tuple[Step, ...] = ((type_card(GOOD_CARD), (State.AWAITING_PAYMENT, State.PAID)), COME_BACK)
PAID = End(State.PAID, mails=("paid",), charged=True, sold=True)
GIVEN_BACK = End(State.CANCELLED, "customer", mails=("cancelled", "refunded"), charged=True, refunded=True)
SHOPPERS: dict[str, tuple[tuple[Step, ...], End]] = {
    "ada": ((PLACE, LATE, COME_BACK, COME_BACK), PAID),
    "ben": (
        (PLACE, (find_company_away, WAITING), (type_card(DECLINED_CARD), WAITING), (come_back, WAITING), *PAY),
        PAID,
    ),
    "cyd": ((PLACE, (open_page, WAITING)), End(State.CANCELLED, "payment_timeout", mails=("cancelled",))),
    "dot": ((PLACE, LATE, (cancel, WAITING)), GIVEN_BACK),
    "eve": (
        (PLACE, *PAY, (cancel_as_staff, (State.PAID,))),
        GIVEN_BACK._replace(reason="staff", mails=("paid", "cancelled", "refunded"), put_back=True),
    ),
    "gus": ((PLACE,), End(State.CANCELLED, "stock_rejected", mails=("cancelled",))),
}
SKUS: dict[str, Any] = {"gus": "RARE"}  # who wants what there is none of; the others want a vase


def all_of(run: Run) -> list[Shopper]:
    return [Shopper(run, name, steps, SKUS.get(name, "VASE")) for name, (steps, _end) in SHOPPERS.items()]


def mails(run: Run, order: Order) -> list[str]:
    """The kinds of those that were sent about an order, sorted."""
    return sorted(kind for kind, number in letters(run.folder).elements() if number == order.number)
