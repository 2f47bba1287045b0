"""Staff and an order: they see it and decide about it with a permission, and are written down as staff."""

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.urls import reverse

from mcommerce.orders.models import Order
from tests.mcommerce.orders.conftest import BUYER, Shopper, fresh, let_in


def allow(email: str, *permissions: str) -> UUID:
    """Give somebody permissions; returns who they are."""
    somebody = get_user_model().objects.get(email=email)
    somebody.user_permissions.add(*Permission.objects.filter(codename__in=permissions))
    return somebody.pk


def test_staff_without_permission_neither_see_nor_cancel_an_order(
    waiting: Order, person: Callable[..., Shopper]
) -> None:
    staff = person("desk@example.com", is_staff=True)

    assert staff.look_at(waiting).status_code == 404
    assert staff.cancel(waiting).status_code == 404
    assert fresh(waiting).state == Order.State.AWAITING_PAYMENT


def test_a_customer_with_a_staff_permission_is_no_staff(waiting: Order, person: Callable[..., Shopper]) -> None:
    customer = person("eve@example.com")
    allow("eve@example.com", "view_order", "cancel_order")

    assert customer.look_at(waiting).status_code == 404
    assert customer.cancel(waiting).status_code == 404


@pytest.mark.needs_app(name="mcommerce.payment")
def test_staff_who_may_only_look_see_no_button_and_cancel_nothing(
    waiting: Order, person: Callable[..., Shopper]
) -> None:
    staff = person("desk@example.com", is_staff=True)
    allow("desk@example.com", "view_order")

    page = staff.look_at(waiting).content.decode()
    refused = staff.cancel(waiting)

    assert "You see this order as staff." in page
    assert reverse("orders:cancel", args=[waiting.id]) not in page
    assert reverse("payment:pay", args=[waiting.id]) not in page
    assert refused.status_code == 403
    assert fresh(waiting).state == Order.State.AWAITING_PAYMENT


def test_an_order_that_staff_cancel_on_its_page_was_cancelled_by_us(
    waiting: Order, person: Callable[..., Shopper], shopper: Shopper
) -> None:
    staff = person("desk@example.com", is_staff=True, name="Grace Hopper")
    staff_id = allow("desk@example.com", "view_order", "cancel_order")

    staff.cancel(waiting)

    step = fresh(waiting).steps.get(kind="cancelled")
    assert (fresh(waiting).cancel_reason, step.by) == ("staff", staff_id)
    let_in(shopper, waiting)
    page = shopper.look_at(waiting).content.decode()
    assert "We cancelled it." in page
    assert "You cancelled it." not in page
    assert "Grace Hopper" not in page


def test_staff_with_a_customers_link_in_their_browser_still_act_as_staff(
    waiting: Order, person: Callable[..., Shopper]
) -> None:
    staff = person("desk@example.com", is_staff=True)
    allow("desk@example.com", "view_order", "cancel_order")
    let_in(staff, waiting)

    staff.cancel(waiting)

    assert fresh(waiting).cancel_reason == "staff"


def test_staff_cancel_their_own_order_as_its_customer(
    placed: Callable[..., Order], person: Callable[..., Shopper]
) -> None:
    staff = person("desk@example.com", is_staff=True)
    order = placed(buyer=replace(BUYER, customer_id=allow("desk@example.com", "view_order", "cancel_order")))

    staff.cancel(order)

    assert fresh(order).cancel_reason == "customer"
