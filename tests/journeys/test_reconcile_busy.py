"""`manage.py reconcile` beside others who go on meanwhile."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from mcommerce.orders.models import Order
from mcommerce.payment.models import Attempt, Payment
from mcommerce.payment.providers.sandbox import Sandbox
from mcommerce.reconcile import bus_differences
from tests.journeys.conftest import GOOD_CARD
from tests.journeys.order_queries import page_of, state_of
from tests.journeys.provider_stub import Company
from tests.journeys.reconcile_steps import found, is_repaired

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("bus_clock", "company")]

State = Order.State


def test_what_an_order_hears_while_all_is_compared_is_no_difference(
    paid_order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    paid_by, compared = Order.objects.get().payment_id, bus_differences.differences
    Order.objects.update(state=State.AWAITING_PAYMENT, payment_id=None)

    def hear_and_compare(**told: Any) -> Any:
        Order.objects.update(state=State.PAID, payment_id=paid_by)
        return compared(**told)

    monkeypatch.setattr(bus_differences, "differences", hear_and_compare)

    assert found() == (0, {})


def test_two_people_who_repair_at_once_take_a_charge_in_once(
    order_of: Callable[..., Order], browser: Client, company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = order_of()
    company.type_card(page_of(browser, order), GOOD_CARD)
    Attempt.objects.all().delete()
    Payment.objects.update(status="new")
    fetch, others = Sandbox.fetch_session, [lambda: found("--repair", "--expect=1")]

    def fetch_a_moment_later(shop: Sandbox, ref: str) -> Any:
        told = fetch(shop, ref)
        if others:
            others.pop()()
        return told

    monkeypatch.setattr(Sandbox, "fetch_session", fetch_a_moment_later)

    assert is_repaired("charge-in-unknown-session")
    assert state_of(order) == State.PAID
    assert company.charges() == [(1_900, 0)]
