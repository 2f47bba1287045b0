"""What people, the payment provider and bad luck do in the shop, as rules of a hypothesis state machine."""

import sys
from contextlib import ExitStack, suppress
from dataclasses import replace
from uuid import UUID, uuid4

from django.db import OperationalError
from django.test import Client
from django.urls import reverse
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, MultipleResults, RuleBasedStateMachine, initialize, invariant, multiple, rule

from eventbus import clock
from eventbus.models import ParkedKey, Timer
from eventbus.testing import Crash, settle
from eventbus.testing.fault_injection import FaultInjectingBackend, inject_faults
from mcommerce.orders.carts import cart
from mcommerce.orders.models import Cart
from mcommerce.orders.services import checkout
from mcommerce.orders.services import lifecycle as orders
from mcommerce.payment.models import Payment
from mcommerce.payment.providers.base import ProviderError
from mcommerce.payment.sandbox import sign
from mcommerce.payment.services import payments
from mcommerce.products.services import stock
from tests.journeys.machine.environment import PIECES, PRODUCTS, Floor
from tests.journeys.machine.provider import SECRET

CARDS = {
    "good": "4242424242424242",
    "declined": "4000000000000002",
    "to be confirmed": "4000000000003220",
    "charged, no answer": "4000000000000341",
}
# Where things go wrong, and how. An ordinary error only where a handler could raise one.
TROUBLES = [
    *[("company", "down"), ("company", "lost")] * 5,
    *((point, "error") for point in ("handler.call", "handler.done")),
    *(
        (point, way)
        for point in (
            *("handler.call", "handler.done", "progress", "handle.single.committed", "handle.begin.committed"),
            *("effect.ask", "effect.answered", "append", "append.committed", "timers.gone", "retry.begin.committed"),
            *("payment.open", "payment.opened", "payment.asked", "payment.refund", "payment.refunded"),
            *("payment.claim.committed", "payment.record.commit", "payment.webhook.commit", "consumer.commit"),
        )
        for way in ("crash", "drop")
    ),
]
MISCHIEF = {"drop": 0.003, "crash": 0.006, "setback": 1.0, "delay": 0.05, "repeat": 0.1}  # a settling has many chances
BUYER = checkout.Buyer(
    email="ada@example.com",
    name="Ada",
    street="12 rue des Fleurs",
    postal_code="69001",
    city="Lyon",
    country="FR",
    language="en",
)
EVENINGS_MAX = 60  # quarters of an hour until all must have come to rest: a check comes every ten minutes at most
EVENING_MINUTES = 15

products = st.integers(0, PRODUCTS - 1)
few = st.integers(1, PIECES)
cards = st.sampled_from(["good", "declined", "to be confirmed", *["charged, no answer"] * 2])
mostly = st.sampled_from([True, True, False])


class ShopMachine(RuleBasedStateMachine):
    """One example is a day in the shop; after each thing that happens the bus gets to work, and all must be true."""

    placed = Bundle("placed")
    pages = Bundle("pages")

    def __init__(self, floor: Floor) -> None:
        super().__init__()
        self.floor = floor
        self.day = ExitStack()
        self.day.enter_context(floor.opened())
        self.company = floor.company
        self.came = {product.id: PIECES for product in floor.products}
        self.cart = Cart.objects.create(changed_at=clock.now())
        self.left_in_cart: dict[UUID, int] = {}
        self.client = Client()
        self.buyers = 0  # each order is somebody's: who pays nothing is written to once a day
        self.faults: FaultInjectingBackend | None = None
        self.unheard = 0  # so many things more happen before the bus gets to work

    @initialize(target=placed, seed=st.integers(0, 2**16))
    def begin(self, seed: int) -> UUID:
        """The first order comes before the shop is well awake."""
        self.faults = self.day.enter_context(inject_faults(seed=seed, **MISCHIEF))
        return self.order(wanted=[(0, 1)], clicks=1)

    def teardown(self) -> None:
        with self.day:  # closed whatever comes
            if sys.exc_info()[0] is None and self.faults is not None:
                self.come_to_rest()

    # --- shoppers --------------------------------------------------------------------------------------------------

    @rule(product=products, quantity=st.integers(0, PIECES))
    def leave_in_cart(self, product: int, quantity: int) -> None:
        """Put into the cart, then think again; the next order takes it along."""
        cart.add(cart=self.cart, product_id=self._product(product), quantity=PIECES, now=clock.now())
        cart.change(cart=self.cart, product_id=self._product(product), quantity=quantity, now=clock.now())
        self.left_in_cart[self._product(product)] = quantity

    @rule(target=placed, wanted=st.lists(st.tuples(products, few), min_size=1, max_size=2), clicks=st.integers(1, 2))
    def order(self, wanted: list[tuple[int, int]], clicks: int) -> UUID:
        self.take_out_what_came_back()
        for product, quantity in wanted:
            cart.add(cart=self.cart, product_id=self._product(product), quantity=quantity, now=clock.now())
        self.left_in_cart.clear()
        self.buyers += 1
        buyer, token = replace(BUYER, email=f"buyer{self.buyers}@example.com"), uuid4()
        bought = {
            checkout.place_order(cart_id=self.cart.id, buyer=buyer, token=token, now=clock.now()).id
            for _click in range(clicks)
        }
        self.happened()
        [order_id] = bought
        return order_id

    def take_out_what_came_back(self) -> None:
        """From orders that were refused, so that they do not pile up to more than there ever is."""
        for line in self.cart.lines.all():
            left = self.left_in_cart.get(line.product_id, 0)
            cart.change(cart=self.cart, product_id=line.product_id, quantity=left, now=clock.now())

    @rule(target=pages, order=placed)
    def go_to_pay(self, order: UUID) -> str | MultipleResults[str]:
        """The page that the shop sends the shopper to, if it does."""
        page = self._page_for(order)
        self.happened()
        return page or multiple()

    @rule(target=pages, order=placed, tries=st.lists(st.tuples(cards, mostly), min_size=1, max_size=3))
    def go_and_pay(self, order: UUID, tries: list[tuple[str, bool]]) -> MultipleResults[str]:
        """Somebody who does not give up: each try begins at the shop."""
        seen = []
        for card, comes_back in tries:
            if page := self._page_for(order):
                self.pay(page=page, card=card, comes_back=comes_back)
                seen.append(page)
            else:
                self.happened()
        return multiple(*dict.fromkeys(seen))

    @rule(page=pages, card=cards, comes_back=mostly)
    def pay(self, page: str, card: str, comes_back: bool) -> None:
        """At a page in any tab, however old."""
        self.company.pay(page, CARDS[card])
        if comes_back:
            self._come_back(page)
        self.happened()

    @rule(page=pages, approve=st.booleans())
    def answer_the_bank(self, page: str, approve: bool) -> None:
        self.company.confirm(page, approve=approve)
        self._come_back(page)
        self.happened()

    def is_here(self, order: UUID) -> bool:
        """Whether the shop knows it."""
        return True

    def _page_for(self, order: UUID) -> str:
        if not self.is_here(order):
            return ""
        try:
            return payments.start_attempt(order_id=order, language="en", now=clock.now())
        except (payments.NotYetOpen, payments.AlreadyPaid, payments.TooLate, payments.TriedTooOften, payments.InDoubt):
            return ""
        except (payments.Refused, ProviderError, Crash, OperationalError):
            return ""

    def _come_back(self, page: str) -> None:
        payment = Payment.objects.filter(attempts__url=page).first()
        if payment is not None:
            with suppress(Crash, OperationalError):
                payments.ask_now(payment_id=payment.id, now=clock.now())

    # --- the house -------------------------------------------------------------------------------------------------

    @rule(product=products, pieces=few, came=st.booleans())
    def count_stock(self, product: int, pieces: int, came: bool) -> None:
        """Pieces came, or broke; those that are promised do not break."""
        counted = {"product_id": self._product(product), "quantity": pieces, "now": clock.now()}
        if came:
            stock.receive_stock(**counted)
            self.came[self._product(product)] += pieces
        else:
            with suppress(stock.NotEnoughThere):
                stock.write_off_stock(**counted)
                self.came[self._product(product)] -= pieces
        self.happened()

    @rule(order=placed, what=st.sampled_from(["ship", "ship", "cancel by customer", "cancel by staff"]))
    def see_to(self, order: UUID, what: str) -> None:
        if not self.is_here(order):
            return
        if what == "ship":
            orders.ship(order_id=order, carrier="La Poste", tracking="1", by=uuid4(), now=clock.now())
        elif what == "cancel by customer":
            orders.cancel_by_customer(order_id=order, now=clock.now())
        else:
            orders.cancel_by_staff(order_id=order, by=uuid4(), now=clock.now())
        self.happened()

    @rule(minutes=st.sampled_from([1, 1, 11, 31]))
    def let_time_pass(self, minutes: int) -> None:
        clock.advance(minutes=minutes)
        self.happened()

    # --- the company -----------------------------------------------------------------------------------------------

    @rule(which=st.integers(0, 9), times=st.integers(1, 2))
    def deliver_webhook(self, which: int, times: int) -> None:
        """One of the last ones, whether told before or not: late, out of order, again."""
        told = self.company.webhooks()
        for body in told[::-1][which : which + 1] * times:
            self._hear(body, sign(body, secret=SECRET, at=int(clock.now().timestamp())))
        self.happened()

    @rule(page=pages)
    def forge_webhook(self, page: str) -> None:
        """Somebody who would like it for nothing."""
        self._hear(self.company.forged(page), "")
        self.happened()

    def _hear(self, body: bytes, signature: str) -> None:
        with suppress(Crash, OperationalError):
            self.client.post(
                reverse("payment:webhook", args=["sandbox"]),
                body,
                content_type="application/json",
                headers={"Sandbox-Signature": signature},
            )

    # --- bad luck --------------------------------------------------------------------------------------------------

    @rule(trouble=st.sampled_from(TROUBLES))
    def trouble_ahead(self, trouble: tuple[str, str]) -> None:
        where, what = trouble
        if where == "company":
            self.company.trouble = what
        else:
            self.floor.trouble.order(where, what)

    @rule(things=st.integers(1, 3))
    def stand_still(self, things: int) -> None:
        """The bus does not get to work for a while."""
        self.unheard = things

    def happened(self) -> None:
        """The bus gets to work."""
        if self.unheard:
            self.unheard -= 1
            return
        settle(raise_errors=False)

    def look(self, *, at_rest: bool = False) -> None:
        """All must be true: see `OperatedMachine`."""

    @invariant()
    def hold(self) -> None:
        """After each step, also where nobody has heard yet of what happened."""
        self.floor.steps += 1
        self.look()

    # --- the evening -----------------------------------------------------------------------------------------------

    def come_to_rest(self) -> None:
        """No more mischief; time passes until nothing is to come, an operator sees to what is in doubt."""
        assert self.faults is not None
        self.faults.quiet()
        self.floor.trouble.order("", "")
        self.wait_for_the_end()
        self.look(at_rest=True)
        self.floor.rests += 1
        self.floor.deeds += self.faults.did.total()

    def wait_for_the_end(self) -> None:
        """Until nothing is to come."""
        self.company.trouble = ""
        for _ in range(EVENINGS_MAX):
            settle(raise_errors=False)
            if not (self._operator() or Timer.objects.exists() or ParkedKey.objects.exists()):
                break
            clock.advance(minutes=EVENING_MINUTES)

    def _operator(self) -> int:
        """Whatever somebody at the console has to see to; how much that was."""
        return 0

    def _product(self, number: int) -> UUID:
        return self.floor.products[number].id
