"""What is one customer's stays theirs: another customer, and staff of another trade, learn nothing of it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse

from mcommerce.orders.models import Order, OrderLine, Refund
from mcommerce.payment.models import Payment
from tests.permissions import sample_rows
from tests.permissions.visitors import Cast, everybody

pytestmark = pytest.mark.django_db

UNKNOWN_BROWSERS = ("anonymous", "other customer", "staff without", "operator")
SECRETS = ("M-234567", "customer@example.com", "12 rue des Fleurs", "Ada Lovelace")


@pytest.fixture
def cast(settings: Any) -> Cast:
    settings.STATIONS_PRODUCER_OPEN = False
    return everybody()


@pytest.fixture
def order(cast: Cast) -> Order:
    order = sample_rows.order_of_the_customer()
    Order.objects.filter(pk=order.pk).update(name="Ada Lovelace", street="12 rue des Fleurs", total=1_900)
    sample_rows.row(OrderLine, order=order)
    sample_rows.row(Refund, order=order)
    return Order.objects.get(pk=order.pk)


def pages_of(order: Order) -> Iterator[tuple[str, str]]:
    """Every address that has to do with the order, and how it is asked."""
    args, refund = [order.pk], Refund.objects.get()
    yield "get", reverse("orders:order", args=args)
    yield "get", reverse("orders:order", args=args) + "?fragment=1"
    yield "get", reverse("orders:open", args=args) + "?key=forged"
    yield "get", reverse("orders:list")
    yield "post", reverse("orders:cancel", args=args)
    yield "post", reverse("payment:pay", args=args)
    yield "get", reverse("payment:return", args=[sample_rows.row(Payment, order_id=order.pk).pk])
    for name in ("changelist", "change", "history", "delete"):
        yield "get", reverse(f"admin:orders_order_{name}", args=[] if name == "changelist" else args)
    yield "get", reverse("admin:orders_order_decide", args=[order.pk, "refund-again"])
    yield "post", reverse("admin:orders_order_decide", args=[order.pk, "refund-again"])
    yield "get", reverse("admin:orders_order_changelist") + f"?state__exact={order.state}"
    yield "get", reverse("admin:payment_refund_changelist")
    yield "get", reverse("admin:payment_payment_changelist") + f"?q={order.pk}"
    yield "get", reverse("admin:payment_refund_history", args=[refund.pk])


@pytest.mark.parametrize("name", UNKNOWN_BROWSERS)
def test_a_stranger_to_an_order_learns_nothing_of_it_and_changes_nothing(name: str, cast: Cast, order: Order) -> None:
    for method, address in pages_of(order):
        answer = getattr(cast.browser(name), method)(address, follow=True)

        told = [secret for secret in SECRETS if secret in answer.content.decode()]
        assert not told, f"{method} {address} tells {name}: {told}"
    assert Order.objects.get(pk=order.pk).state == Order.State.AWAITING_PAYMENT


def test_its_customer_and_the_merchant_do(cast: Cast, order: Order) -> None:
    page = cast.browser("customer").get(reverse("orders:order", args=[order.pk])).content.decode()
    desk = cast.browser("merchant").get(reverse("admin:orders_order_change", args=[order.pk])).content.decode()

    assert all(secret in page for secret in SECRETS[:3])
    assert all(secret in desk for secret in SECRETS[:3])


def test_another_customers_address_is_neither_shown_nor_changed_nor_deleted(cast: Cast, tmp_path: Path) -> None:
    address = sample_rows.names(tmp_path)["address_id"]
    other = cast.browser("other customer")

    answers = [
        other.get(reverse("accounts:edit_address", args=[address])),
        other.post(reverse("accounts:edit_address", args=[address]), {"street": "elsewhere"}),
        other.post(reverse("accounts:delete_address", args=[address])),
    ]

    assert {answer.status_code for answer in answers} == {404}
