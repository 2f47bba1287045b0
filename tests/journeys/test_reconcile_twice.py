"""`manage.py reconcile` finds what the payment company charged a second time, and sends it back."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from django.test import Client
from django.urls import reverse

from eventbus import clock
from eventbus.testing import settle
from mcommerce.orders.models import Order
from mcommerce.payment import repairs, statements
from mcommerce.payment.ledger import balances
from mcommerce.payment.models import Attempt, LedgerEntry, Payment

from .away import Company
from .conftest import GOOD_CARD
from .reconciling import found, is_repaired
from .shop import page_of, state_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("bus_clock", "company")]


def pay_again(order: Order, company: Company) -> None:
    """In a session that was opened after what we have was saved."""
    page = company.open_page(
        reference=str(order.id),
        amount=1_900,
        currency="EUR",
        return_url="http://127.0.0.1:9/return",
        webhook_url="http://127.0.0.1:9/webhook",
        expires_at=clock.now().timestamp() + 600,
        language="en",
    )
    company.type_card(page, GOOD_CARD)


def is_paid_once(order: Order) -> bool:
    payment = Payment.objects.get()
    assert (state_of(order), payment.captured, payment.alarm) == (Order.State.PAID, 1_900, "")
    assert balances() == {("provider", "EUR"): 1_900, ("customer", "EUR"): -1_900}
    return True


def test_a_charge_for_an_order_that_was_paid_in_another_session_goes_back(paid_order: Order, company: Company) -> None:
    pay_again(paid_order, company)

    assert is_repaired("charged-twice")
    assert company.charges() == [(1_900, 0), (1_900, 1_900)]
    assert is_paid_once(paid_order)


def test_one_that_our_books_have_as_well_is_taken_out_of_them(
    order_of: Callable[..., Order], browser: Client, company: Company
) -> None:
    order = order_of()
    company.type_card(page_of(browser, order), GOOD_CARD)
    pay_again(order, company)
    browser.get(reverse("payment:return", args=[Payment.objects.get().id]))
    [[first, second]] = statements.charges("sandbox")
    adopt_although_it_is_paid(second, first)
    settle()
    assert Payment.objects.get().captured == 3_800

    assert is_repaired("charged-twice")
    assert company.charges() == [(1_900, 0), (1_900, 1_900)]
    assert is_paid_once(order)


def adopt_although_it_is_paid(charge: statements.Charge, paid_by: statements.Charge) -> None:
    """As a release did that compared it with nothing."""
    repairs.adopt(provider="sandbox", charge=charge, payment_id=Payment.objects.get().id, now=clock.now())
    assert Payment.objects.get().alarm == f"charged twice: {charge.ref}"
    assert Attempt.objects.count() == LedgerEntry.objects.count() == 2
    assert Payment.objects.get().provider_ref == paid_by.ref


def test_a_repair_that_was_cut_short_goes_on(paid_order: Order, company: Company) -> None:
    pay_again(paid_order, company)
    [[first, second]] = statements.charges("sandbox")
    adopt_although_it_is_paid(second, first)
    company.give_back(second.ref, 1_900)

    assert is_repaired("charged-twice")
    assert company.charges() == [(1_900, 0), (1_900, 1_900)]
    assert is_paid_once(paid_order)


def test_two_charges_in_one_session_are_named_and_the_books_stay(
    paid_order: Order, company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our stand-in never does that. Another company may."""
    [[charge]] = statements.charges("sandbox")
    twice = [charge, replace(charge, ref="chg_second")]
    monkeypatch.setattr(statements, "charges", lambda provider: iter([twice]))
    given_back: list[str] = []
    monkeypatch.setattr(repairs, "give_back", lambda *, provider, charge: given_back.append(charge.ref))

    assert found("--repair", "--expect=1") == (0, {"charged-twice": "repaired"})
    assert given_back == ["chg_second"]
    assert is_paid_once(paid_order)
