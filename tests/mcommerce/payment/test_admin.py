"""Staff look at the money."""

from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from mcommerce.payment.models import Payment

from .conftest import Company, Shopper


def test_staff_see_money_and_change_nothing(
    company: Company, shopper: Shopper, order_id: UUID, admin_client: Any
) -> None:
    payment = Payment.objects.get()

    page = admin_client.get(reverse("admin:payment_payment_change", args=[payment.id]))

    assert page.status_code == 200
    assert 'name="_save"' not in page.content.decode()
    assert admin_client.get(reverse("admin:payment_payment_add")).status_code == 403
    assert admin_client.get(reverse("admin:payment_payment_delete", args=[payment.id])).status_code == 403
    for name in ("refund", "ledgerentry", "webhookreceipt"):
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
    assert "Asked the payment company." in page
