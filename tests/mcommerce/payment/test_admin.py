"""Staff look at the money."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import DatabaseError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from eventbus import clock
from eventbus.ids import uuid7
from mcommerce.events import OrderAwaitingPayment
from mcommerce.payment.models import Payment
from tests.frozen_database import without
from tests.mcommerce.payment.conftest import Shopper, settle
from tests.mcommerce.payment.test_refunds import asked

LIST = "/admin/payment/payment/"


def ask_again(client: Client, payment: Payment) -> str:
    """Press the button at the desk; how the payment stands then."""
    client.post(LIST, {"action": "ask_again", "_selected_action": [str(payment.id)]})
    return Payment.objects.get(id=payment.id).status


def test_staff_see_money_and_change_nothing(shopper: Shopper, admin_client: Client) -> None:
    address = f"{LIST}{shopper.payment.id}"

    page = admin_client.get(f"{address}/change/")

    assert page.status_code == 200
    assert 'name="_save"' not in page.content.decode()
    for forbidden in (f"{LIST}add/", f"{address}/delete/"):
        assert admin_client.get(forbidden).status_code == 403
    for name in ("refund", "ledgerentry", "webhookreceipt", "refusedwebhooks"):
        assert admin_client.get(reverse(f"admin:payment_{name}_changelist")).status_code == 200


def test_staff_ask_the_company_again_and_who_may_only_look_does_not(shopper: Shopper, admin_client: Client) -> None:
    shopper.pay()
    payment, client = shopper.payment, Client()
    reader = get_user_model().objects.create_user("reader@example.com", is_staff=True)
    reader.user_permissions.add(Permission.objects.get(codename="view_payment"))
    client.force_login(reader)

    assert ask_again(client, payment) == payment.status

    assert ask_again(admin_client, payment) == "succeeded"
    page = admin_client.get(f"{LIST}{payment.id}/history/").content.decode()
    assert "Asked the payment provider." in page


def test_nobody_asks_whom_the_history_does_not_take(shopper: Shopper, admin_client: Client) -> None:
    shopper.pay()
    payment = shopper.payment

    with without("django_admin_log"), pytest.raises(DatabaseError):
        ask_again(admin_client, payment)

    assert shopper.payment.status == payment.status != "succeeded"


@pytest.fixture
def two_payments(transactional_db: None, bus_clock: Any) -> None:
    """Of Ada's order of 19 euros, and of Bob's, in francs."""
    about = {"customer_id": None, "amount": 1_900, "expires_at": clock.now() + timedelta(minutes=30)}
    settle(
        OrderAwaitingPayment(
            order_id=uuid7(), order_number="M-4G7K2Q", email="Ada@example.com", currency="EUR", **about
        ),
        OrderAwaitingPayment(
            order_id=uuid7(), order_number="M-XYZ234", email="bob@example.com", currency="CHF", **about
        ),
    )


@pytest.mark.usefixtures("two_payments")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"q": "M-4G7K2Q"}, ["M-4G7K2Q"]),
        ({"q": "m-4g7k2q"}, ["M-4G7K2Q"]),
        ({"q": "ada@example.com"}, ["M-4G7K2Q"]),
        ({"currency": "EUR"}, ["M-4G7K2Q"]),
        ({"currency": "another"}, ["M-XYZ234"]),
        ({"currency": "CHF"}, ["M-XYZ234"]),
        ({"currency": "USD"}, []),
    ],
)
def test_a_payment_is_found_by_number_e_mail_and_currency(
    admin_client: Client, query: dict[str, str], found: list[str]
) -> None:
    page = admin_client.get(LIST, query).content.decode()

    assert [number for number in ("M-4G7K2Q", "M-XYZ234") if number in page] == found


@pytest.mark.needs_app(name="mcommerce.orders")
@pytest.mark.usefixtures("two_payments")
def test_the_desk_shows_money_as_money(admin_client: Client) -> None:
    payment = Payment.objects.get(order_number="M-4G7K2Q")

    listed = admin_client.get(LIST).content.decode()
    shown = admin_client.get(f"{LIST}{payment.id}/change/").content.decode()

    assert ">€19.00</td>" in listed
    assert "€19.00" in shown
    assert "1900" not in listed + shown
    assert reverse("admin:orders_order_change", args=[payment.order_id]) in shown


def test_a_refund_and_its_entries_are_found_by_the_orders_number(paid: Payment, admin_client: Client) -> None:
    Payment.objects.update(order_number="M-4G7K2Q")
    settle(asked(paid))

    for name in ("refund", "ledgerentry"):
        address = reverse(f"admin:payment_{name}_changelist")
        assert "€19.00" in admin_client.get(address, {"q": "m-4g7k2q"}).content.decode()
        assert "€19.00" not in admin_client.get(address, {"q": "M-XYZ234"}).content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["payment", "ledgerentry"])
def test_the_filter_of_currencies_reads_no_whole_table(admin_client: Client, name: str) -> None:
    with CaptureQueriesContext(connection) as queries:
        page = admin_client.get(reverse(f"admin:payment_{name}_changelist"))

    assert "?currency=another" in page.content.decode()
    assert [query["sql"] for query in queries if "DISTINCT" in query["sql"]] == []
