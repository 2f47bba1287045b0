"""An order that costs nothing goes its way without a payment provider."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from eventbus import clock
from eventbus.models import DeadLetter
from eventbus.testing import published_events, settle
from mcommerce.events import OrderAwaitingPayment, OrderPaid, OrderRefundRequested
from mcommerce.orders.models import Order, Refund
from mcommerce.orders.services import lifecycle, returns
from mcommerce.payment.models import LedgerEntry, Payment
from mcommerce.products.models import Product
from mcommerce.products.services.catalogue import save_product
from tests.journeys.order_queries import mails_about, state_of, steps_of, stock_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("bus_clock")]

State = Order.State


@pytest.fixture
def free(vase: Product) -> Product:
    """Two vases for nothing."""
    vase.refresh_from_db()
    vase.price = 0
    save_product(product=vase, now=clock.now())
    settle()
    return vase


def test_what_costs_nothing_is_paid_once_it_is_set_aside(
    free: Product, order_of: Callable[..., Order], browser: Client, settings: Any
) -> None:
    page = browser.post(reverse("orders:add"), {"product_id": free.id, "quantity": 1}, follow=True)
    assert "€0.00" in page.content.decode()
    checkout = browser.get(reverse("orders:checkout")).content.decode()
    assert "nothing to pay" in checkout and "Order and pay" not in checkout

    order = order_of()

    assert state_of(order) == State.PAID
    assert steps_of(order) == ["placed", "reserved", "paid", "mailed"]
    assert stock_of(free) == (0, 0)
    assert [(paid.amount, paid.currency) for paid in published_events(OrderPaid)] == [(0, "EUR")]
    page = browser.get(reverse("orders:order", args=[order.id])).content.decode()
    assert "There is nothing to pay, thank you!" in page
    assert 'id="pay"' not in page
    assert [sent.subject for sent in mails_about(order)] == [f"We have your order {order.number}, thank you"]
    assert "there is nothing to pay" in mails_about(order)[0].body
    assert f"/orders/{order.id}/open/?key=" in mails_about(order)[0].body
    assert published_events(OrderAwaitingPayment) == []
    assert not Payment.objects.exists() and not LedgerEntry.objects.exists() and not DeadLetter.objects.exists()
    clock.advance(minutes=settings.ORDER_PAYMENT_MINUTES + 1)
    settle()
    assert state_of(order) == State.PAID


def test_it_ends_without_a_refund(free: Product, order_of: Callable[..., Order]) -> None:
    order = order_of()

    assert lifecycle.cancel_by_staff(order_id=order.id, by=uuid4(), now=clock.now())
    settle()

    assert state_of(order) == State.CANCELLED
    assert published_events(OrderRefundRequested) == [] and not Refund.objects.exists()
    assert stock_of(free) == (2, 0)
    assert not DeadLetter.objects.exists()


def test_it_is_sent_and_comes_back(free: Product, order_of: Callable[..., Order]) -> None:
    order = order_of(quantity=2)

    assert lifecycle.ship(order_id=order.id, carrier="La Poste", tracking="6A1", by=uuid4(), now=clock.now())
    settle()
    assert [sent.subject for sent in mails_about(order)][1:] == [f"Order {order.number} is on its way"]
    assert not returns.refund_sent(order_id=order.id, pieces_are_back=True, by=uuid4(), now=clock.now())
    assert returns.put_back(order_id=order.id, by=uuid4(), now=clock.now())
    settle()

    assert (state_of(order), stock_of(free)) == (State.SHIPPED, (2, 0))


def test_its_stock_told_twice_is_paid_once(free: Product, order_of: Callable[..., Order]) -> None:
    order = order_of()

    lifecycle.await_payment(order_id=order.id, now=clock.now())
    lifecycle.lose_stock(order_id=order.id, now=clock.now())
    lifecycle.lose_stock(order_id=order.id, now=clock.now())
    settle()

    assert len(published_events(OrderPaid)) == 1
    assert (state_of(order), Refund.objects.exists()) == (State.CANCELLED, False)
