"""Who comes by: each shopper takes a few steps, and each step can be taken again after the site died in it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

import requests
from django.db import transaction

from eventbus import clock
from mcommerce.orders.models import Cart, CartLine, Offer, Order
from mcommerce.orders.services import lifecycle as orders
from mcommerce.orders.services.checkout import Buyer, place_order
from mcommerce.payment.models import Payment
from mcommerce.payment.services import payments
from tests.letterbox import letters
from tests.sweep.run import Run

HOUSE = UUID("5eed5eed-5eed-4eed-8eed-5eed5eed5eed")  # names the shoppers' carts and forms: the same in every life
GOOD_CARD, DECLINED_CARD, LATE_CARD = "4242424242424242", "4000000000000002", "4000000000000341"
COMPANY_SECONDS = 5  # it is a process of this machine
State = Order.State


@dataclass(frozen=True)
class Step:
    """What is done, and in which of the order's states; in another it waits."""

    name: str
    do: Callable[["Shopper"], object]
    when: tuple[str, ...] = (State.AWAITING_PAYMENT,)


@dataclass(frozen=True)
class End:
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
        step, order = self._steps[taken], self.order
        if taken and (order is None or order.state not in step.when):
            return False
        step.do(self)
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


def known(shopper: Shopper) -> Order:
    order = shopper.order
    assert order is not None, "no step but the first comes before the order"
    return order


# --- who -----------------------------------------------------------------------------------------------------------

PLACE = Step("place", place, ())
# Whoever died once the card was charged finds it paid.
PAY = (
    Step("type a card", type_card(GOOD_CARD), (State.AWAITING_PAYMENT, State.PAID)),
    Step("come back", come_back, tuple(State)),
)
SHOPPERS: dict[str, tuple[tuple[Step, ...], End]] = {
    "ada": (
        (
            PLACE,
            Step("type a card whose answer is late", type_card(LATE_CARD)),
            Step("come back, and nobody knows", come_back, tuple(State)),
            Step("look again", come_back, tuple(State)),
        ),
        End(State.PAID, mails=("paid",), charged=True, sold=True),
    ),
    "ben": (
        (
            PLACE,
            Step("type a bad card", type_card(DECLINED_CARD)),
            Step("come back", come_back),
            *PAY,
        ),
        End(State.PAID, mails=("paid",), charged=True, sold=True),
    ),
    "cyd": (
        (PLACE, Step("look at the page", open_page)),
        End(State.CANCELLED, "payment_timeout", mails=("cancelled",)),
    ),
    "dot": (
        (
            PLACE,
            Step("type a card whose answer is late", type_card(LATE_CARD)),
            Step("cancel", cancel),
        ),
        End(State.CANCELLED, "customer", mails=("cancelled", "refunded"), charged=True, refunded=True),
    ),
    "eve": (
        (PLACE, *PAY, Step("staff cancels", cancel_as_staff, (State.PAID,))),
        End(
            State.CANCELLED,
            "staff",
            mails=("paid", "cancelled", "refunded"),
            charged=True,
            refunded=True,
            put_back=True,
        ),
    ),
    "gus": ((PLACE,), End(State.CANCELLED, "stock_rejected", mails=("cancelled",))),
}
SKUS: dict[str, Any] = {"gus": "RARE"}  # who wants what there is none of; the others want a vase


def all_of(run: Run) -> list[Shopper]:
    return [Shopper(run, name, steps, SKUS.get(name, "VASE")) for name, (steps, _end) in SHOPPERS.items()]


def mails(run: Run, order: Order) -> list[str]:
    """The kinds of those that were sent about an order, sorted."""
    return sorted(kind for kind, number in letters(run.folder).elements() if number == order.number)
