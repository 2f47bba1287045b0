"""Five orders, each with another end: what staff ask about in the journey.

Each step is somebody's who shops, works or fails, at the real shop and the real stand-in for the payment provider.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from uuid import uuid4

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from eventbus import Permanent, clock, registry
from eventbus.testing import settle
from mcommerce.events import OrderPaid
from mcommerce.orders.models import Order
from mcommerce.orders.services import lifecycle
from mcommerce.payment.models import Payment
from mcommerce.payment.services import payments
from mcommerce.products.services.stock import write_off_stock
from tests.journeys.order_queries import page_of
from tests.journeys.provider_stub import Company

GOOD_CARD, DECLINED_CARD = "4242424242424242", "4000000000000002"
GROUP = "products"  # the one that fails

OrderOf = Callable[..., Order]
Broken = Callable[[], AbstractContextManager[None]]


class FiveOrders:
    """Makes each of the orders. `order_of` and `browser` are the shopper's, `company` is the payment provider."""

    def __init__(self, order_of: OrderOf, browser: Client, company: Company) -> None:
        self._order_of, self._browser, self._company = order_of, browser, company

    def paid_and_sent(self) -> Order:
        """Paid with a good card, and sent by staff."""
        order = self._paid()
        lifecycle.ship(order_id=order.id, carrier="La Poste", tracking="6A123", by=uuid4(), now=clock.now())
        return self._settled(order)

    def refused(self) -> Order:
        """The bank refuses the card twice, and the time to pay runs out."""
        order = self._order_of()
        page = page_of(self._browser, order)
        for _try in range(2):
            self._company.type_card(page, DECLINED_CARD)
            self._look(order)
        clock.advance(minutes=settings.ORDER_PAYMENT_MINUTES, seconds=1)
        return self._settled(order)

    def short(self) -> Order:
        """One of two pieces breaks before the stock hears of the order."""
        order = self._order_of(quantity=2, quiet=True)
        [line] = order.lines.all()
        write_off_stock(product_id=line.product_id, quantity=1, now=clock.now())
        return self._settled(order)

    def paid_too_late(self) -> Order:
        """The customer cancels in one tab, and pays in another before the page there is closed."""
        order = self._order_of()
        page = page_of(self._browser, order)
        self._company.type_card(page, GOOD_CARD)
        self._browser.post(reverse("orders:cancel", args=[order.id]))
        if Order.objects.get(id=order.id).state != Order.State.CANCELLED:  # the shop has asked meanwhile
            lifecycle.cancel_by_customer(order_id=order.id, now=clock.now())
        return self._settled(order)

    def parked(self, patch: pytest.MonkeyPatch) -> Order:
        """Paid, but the stock cannot take the goods out: its handler fails for good."""
        handlers = registry.groups[GROUP].handlers
        [commit] = handlers[OrderPaid.wire_type()]
        patch.setitem(handlers, OrderPaid.wire_type(), [replace(commit, call=_fail)])
        return self._paid()

    def _paid(self) -> Order:
        order = self._order_of()
        self._company.type_card(page_of(self._browser, order), GOOD_CARD)
        self._look(order)
        return self._settled(order)

    def _look(self, order: Order) -> None:
        """The shop asks the provider, as it does when the shopper comes back."""
        payments.ask_now(payment_id=Payment.objects.get(order_id=order.id).id, now=clock.now())
        settle(raise_errors=False)

    def _settled(self, order: Order) -> Order:
        settle(raise_errors=False)
        order.refresh_from_db()
        return order


def _fail(event: OrderPaid) -> None:
    raise Permanent("the shelf is gone")
