"""Staff look at the money."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import DatabaseError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from eventbus import clock
from eventbus.ids import uuid7
from mcommerce.events import OrderAwaitingPayment, OrderRefundRequested
from mcommerce.payment.models import Payment
from tests.frozen_database import without
from tests.mcommerce.payment.conftest import Company, Shopper


def test_staff_see_money_and_change_nothing(
    company: Company, shopper: Shopper, order_id: UUID, admin_client: Any
) -> None:
    payment = Payment.objects.get()

    page = admin_client.get(reverse("admin:payment_payment_change", args=[payment.id]))

    assert page.status_code == 200
    assert 'name="_save"' not in page.content.decode()
    assert admin_client.get(reverse("admin:payment_payment_add")).status_code == 403
    assert admin_client.get(reverse("admin:payment_payment_delete", args=[payment.id])).status_code == 403
    for name in ("refund", "ledgerentry", "webhookreceipt", "refusedwebhooks"):
        assert admin_client.get(reverse(f"admin:payment_{name}_changelist")).status_code == 200


def test_staff_ask_the_company_again(company: Company, shopper: Shopper, order_id: UUID, admin_client: Any) -> None:
    company.pay(shopper.page_to_pay(order_id), "4242424242424242")
    payment = Payment.objects.get()

    admin_client.post(
        reverse("admin:payment_payment_changelist"), {"action": "ask_again", "_selected_action": [str(payment.id)]}
    )

    payment.refresh_from_db()
    assert payment.status == "succeeded"


def test_who_may_only_look_does_not_ask_and_who_asks_is_in_the_history(
    company: Company, shopper: Shopper, order_id: UUID, admin_client: Any
) -> None:
    company.pay(shopper.page_to_pay(order_id), "4242424242424242")
    payment = Payment.objects.get()
    reader = get_user_model().objects.create_user("reader@example.com", is_staff=True)
    reader.user_permissions.add(Permission.objects.get(codename="view_payment"))
    chosen = {"action": "ask_again", "_selected_action": [str(payment.id)]}
    client = Client()
    client.force_login(reader)

    client.post(reverse("admin:payment_payment_changelist"), chosen)
    assert Payment.objects.get().status == payment.status

    admin_client.post(reverse("admin:payment_payment_changelist"), chosen)
    page = admin_client.get(reverse("admin:payment_payment_history", args=[payment.id])).content.decode()
    assert "Asked the payment provider." in page


def test_nobody_asks_whom_the_history_does_not_take(
    company: Company, shopper: Shopper, order_id: UUID, admin_client: Any
) -> None:
    company.pay(shopper.page_to_pay(order_id), "4242424242424242")
    payment = Payment.objects.get()
    chosen = {"action": "ask_again", "_selected_action": [str(payment.id)]}

    with without("django_admin_log"), pytest.raises(DatabaseError):
        admin_client.post(reverse("admin:payment_payment_changelist"), chosen)

    assert Payment.objects.get().status == payment.status != "succeeded"


@pytest.fixture
def two_payments(transactional_db: None, bus_clock: Any, tell: Any) -> None:
    """Of Ada's order of 19 euros, and of Bob's."""
    later = clock.now() + timedelta(minutes=30)
    about = {"customer_id": None, "amount": 1_900, "currency": "EUR", "expires_at": later}
    tell(OrderAwaitingPayment(order_id=uuid7(), order_number="M-4G7K2Q", email="Ada@example.com", **about))
    tell(OrderAwaitingPayment(order_id=uuid7(), order_number="M-XYZ234", email="bob@example.com", **about))


@pytest.mark.usefixtures("two_payments")
@pytest.mark.parametrize("words", ["M-4G7K2Q", "m-4g7k2q", "ada@example.com"])
def test_a_payment_is_found_by_its_orders_number_and_by_e_mail(admin_client: Any, words: str) -> None:
    page = admin_client.get(reverse("admin:payment_payment_changelist"), {"q": words}).content.decode()

    assert "M-4G7K2Q" in page
    assert "M-XYZ234" not in page


@pytest.mark.needs_app(name="mcommerce.orders")
@pytest.mark.usefixtures("two_payments")
def test_the_desk_shows_money_as_money(admin_client: Any) -> None:
    payment = Payment.objects.get(order_number="M-4G7K2Q")

    listed = admin_client.get(reverse("admin:payment_payment_changelist")).content.decode()
    shown = admin_client.get(reverse("admin:payment_payment_change", args=[payment.id])).content.decode()

    assert ">€19.00</td>" in listed
    assert "€19.00" in shown
    assert "1900" not in listed + shown
    assert reverse("admin:orders_order_change", args=[payment.order_id]) in shown


def test_a_refund_and_its_entries_are_found_by_the_orders_number(
    company: Company, shopper: Shopper, admin_client: Any, order_id: UUID, tell: Any
) -> None:
    company.pay(shopper.page_to_pay(order_id), "4242424242424242")
    shopper.come_back(order_id)
    Payment.objects.update(order_number="M-4G7K2Q")
    payment = Payment.objects.get()
    about = {"order_id": order_id, "payment_id": payment.id, "amount": 1_900, "currency": "EUR"}
    tell(OrderRefundRequested(refund_id=uuid7(), reason="returned", **about))

    for name in ("refund", "ledgerentry"):
        address = reverse(f"admin:payment_{name}_changelist")
        assert "€19.00" in admin_client.get(address, {"q": "m-4g7k2q"}).content.decode()
        assert "€19.00" not in admin_client.get(address, {"q": "M-XYZ234"}).content.decode()


@pytest.fixture
def a_payment_in_francs(two_payments: None) -> None:
    Payment.objects.filter(order_number="M-XYZ234").update(currency="CHF")


@pytest.mark.usefixtures("a_payment_in_francs")
@pytest.mark.parametrize(
    ("asked", "found"), [("EUR", ["M-4G7K2Q"]), ("another", ["M-XYZ234"]), ("CHF", ["M-XYZ234"]), ("USD", [])]
)
def test_payments_in_the_shops_currency_are_told_from_others(admin_client: Any, asked: str, found: list[str]) -> None:
    page = admin_client.get(reverse("admin:payment_payment_changelist"), {"currency": asked}).content.decode()

    assert [number for number in ("M-4G7K2Q", "M-XYZ234") if number in page] == found


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["payment", "ledgerentry"])
def test_the_filter_of_currencies_reads_no_whole_table(admin_client: Any, name: str) -> None:
    with CaptureQueriesContext(connection) as queries:
        page = admin_client.get(reverse(f"admin:payment_{name}_changelist"))

    assert "?currency=another" in page.content.decode()
    assert [query["sql"] for query in queries if "DISTINCT" in query["sql"]] == []
