"""`manage.py reconcile` finds what the payment provider charged a second time, and sends it back."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from eventbus import clock
from eventbus.testing import settle
from mcommerce.orders.models import Order
from mcommerce.payment.models import Attempt, LedgerEntry, Payment
from mcommerce.payment.providers import provider_named
from mcommerce.payment.services import reconciliation, repairs
from mcommerce.payment.services.ledger import balances
from mcommerce.payment.services.provider_answers import settle as settle_attempt
from tests.journeys.conftest import GOOD_CARD
from tests.journeys.order_queries import page_of, state_of
from tests.journeys.provider_stub import Company
from tests.journeys.reconcile_steps import found, is_repaired

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
    [[first, second]] = reconciliation.charges("sandbox")
    adopt_although_it_is_paid(second, first)
    settle()
    assert Payment.objects.get().captured == 3_800

    assert is_repaired("charged-twice")
    assert company.charges() == [(1_900, 0), (1_900, 1_900)]
    assert is_paid_once(order)


def adopt_although_it_is_paid(charge: reconciliation.Charge, paid_by: reconciliation.Charge) -> None:
    """As a release did that compared it with nothing."""
    attempt = Attempt.objects.create(
        payment=Payment.objects.get(),
        provider="sandbox",
        provider_ref=charge.session_ref,
        language="en",
        started_at=charge.charged_at,
    )
    with transaction.atomic():
        settle_attempt(attempt, provider_named("sandbox").fetch_session(charge.session_ref), now=clock.now())
    assert Payment.objects.get().alarm == f"charged twice: {charge.ref}"
    assert Attempt.objects.count() == LedgerEntry.objects.count() == 2
    assert Payment.objects.get().provider_ref == paid_by.ref


def test_a_repair_that_was_cut_short_goes_on(paid_order: Order, company: Company) -> None:
    pay_again(paid_order, company)
    [[first, second]] = reconciliation.charges("sandbox")
    adopt_although_it_is_paid(second, first)
    company.give_back(second.ref, 1_900)

    assert is_repaired("charged-twice")
    assert company.charges() == [(1_900, 0), (1_900, 1_900)]
    assert is_paid_once(paid_order)


def test_two_charges_in_one_session_are_named_and_the_books_stay(
    paid_order: Order, company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our stand-in never does that. Another company may."""
    [[charge]] = reconciliation.charges("sandbox")
    twice = [charge, replace(charge, ref="chg_second")]
    monkeypatch.setattr(reconciliation, "charges", lambda provider: iter([twice]))
    given_back: list[str] = []
    monkeypatch.setattr(repairs, "give_back", lambda *, provider, charge: given_back.append(charge.ref))

    assert found("--repair", "--expect=1") == (0, {"charged-twice": "repaired"})
    assert given_back == ["chg_second"]
    assert is_paid_once(paid_order)


def test_two_charges_in_sessions_that_we_do_not_know_are_one_payment_and_one_that_goes_back(
    order_of: Callable[..., Order], company: Company
) -> None:
    order = order_of()
    pay_again(order, company)
    pay_again(order, company)

    assert found("--repair", "--expect=2") == (0, {"charge-in-unknown-session": "repaired"})
    settle()

    assert found() == (0, {})
    assert company.charges() == [(1_900, 0), (1_900, 1_900)]
    assert is_paid_once(order)


def test_a_session_of_ours_that_was_charged_beside_one_that_we_do_not_know_is_not_kept_as_well(
    order_of: Callable[..., Order], browser: Client, company: Company
) -> None:
    order = order_of()
    page = page_of(browser, order)
    pay_again(order, company)
    company.type_card(page, GOOD_CARD)

    assert found("--repair", "--expect=2")[0] == 0
    settle()

    assert found() == (0, {})
    assert sorted(company.charges()) == [(1_900, 0), (1_900, 1_900)]
    assert is_paid_once(order)


def test_where_the_company_gave_back_what_paid_nothing_more_goes_back_before_a_person_has_looked(
    paid_order: Order, company: Company
) -> None:
    """Else the customer has both, and what they ordered."""
    pay_again(paid_order, company)
    [[first, _second]] = reconciliation.charges("sandbox")
    company.give_back(first.ref, 1_900)

    assert found("--repair", "--expect=1") == (0, {"charged-twice": "repaired"})
    settle()

    assert company.charges() == [(1_900, 1_900), (1_900, 0)]
    assert state_of(paid_order) == Order.State.PAID
    assert "does" in Payment.objects.get().alarm and found() == (0, {})
