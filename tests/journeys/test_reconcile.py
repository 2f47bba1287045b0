"""`manage.py reconcile` finds what company, payments, orders, stock and bus say differently, and mends it."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from eventbus import clock
from eventbus.ids import uuid7
from eventbus.models import DeadLetter, ParkedKey
from eventbus.testing import settle
from mcommerce.events import StockLine
from mcommerce.orders.models import Order, Refund
from mcommerce.orders.services import lifecycle
from mcommerce.payment.models import Attempt, LedgerEntry, Payment, StatusChange
from mcommerce.payment.sandbox.api import Refused
from mcommerce.payment.services.ledger import balances
from mcommerce.products.models import Product, Reservation, Stock
from mcommerce.products.services.stock import reserve_stock
from tests.eventbus.test_commands import run
from tests.journeys.order_queries import page_of, state_of, stock_of
from tests.journeys.provider_stub import Company
from tests.journeys.reconcile_steps import forget_payment, found, is_repaired

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("bus_clock", "company")]

GOOD_CARD = "4242424242424242"
State = Order.State


def forget_order(order: Order) -> None:
    Order.objects.filter(id=order.id).delete()


# --- nothing ----------------------------------------------------------------------------------------------------------


def test_where_all_say_the_same_nothing_is_found(paid_order: Order) -> None:
    code, said, complaint = run("reconcile")

    assert (code, complaint) == (0, "")
    assert said.strip() == "0 differences, 0 repaired."


def test_a_cancelled_and_refunded_order_is_no_difference(paid_order: Order) -> None:
    lifecycle.cancel_by_staff(order_id=paid_order.id, by=uuid4(), now=clock.now())
    settle()

    assert found() == (0, {})


# --- the company ------------------------------------------------------------------------------------------------------


def test_a_charge_of_an_order_that_is_not_here_is_sent_back(paid_order: Order, company: Company) -> None:
    Reservation.objects.all().delete()
    forget_payment(paid_order)
    forget_order(paid_order)

    assert is_repaired("charge-without-order")
    assert company.charges() == [(1_900, 1_900)]


def test_a_charge_of_an_order_that_was_cancelled_before_it_could_be_paid_is_sent_back(
    paid_order: Order, company: Company
) -> None:
    """As the backup has it; since then it had waited for its money, and was paid."""
    Reservation.objects.all().delete()
    forget_payment(paid_order)
    Order.objects.update(state=State.CANCELLED, payment_id=None)

    assert is_repaired("charge-without-payment")
    assert company.charges() == [(1_900, 1_900)]
    assert Refund.objects.get().state == Refund.State.REFUNDED


def test_of_such_a_charge_what_the_company_has_not_given_back_goes_back_as_well(
    paid_order: Order, company: Company
) -> None:
    charge = Payment.objects.get().provider_ref
    Reservation.objects.all().delete()
    forget_payment(paid_order)
    Order.objects.update(state=State.CANCELLED, payment_id=None)
    company.give_back(charge, 700)

    assert is_repaired("charge-without-payment")
    assert company.charges() == [(1_900, 1_900)]


def test_a_charge_that_nobody_took_in_pays_its_order(
    order_of: Callable[..., Order], browser: Client, company: Company, vase: Product
) -> None:
    order = order_of()
    company.type_card(page_of(browser, order), GOOD_CARD)

    assert is_repaired("charge-not-taken-in")
    assert state_of(order) == State.PAID
    assert stock_of(vase) == (1, 0)


def test_a_charge_of_a_session_that_was_opened_after_the_backup_pays_its_order(
    order_of: Callable[..., Order], browser: Client, company: Company
) -> None:
    order = order_of()
    company.type_card(page_of(browser, order), GOOD_CARD)
    Attempt.objects.all().delete()
    Payment.objects.update(status="new")

    assert is_repaired("charge-in-unknown-session")
    assert state_of(order) == State.PAID
    assert company.charges() == [(1_900, 0)]


def test_money_that_the_company_gave_back_cancels_the_order_that_waits_to_be_sent(
    paid_order: Order, company: Company, vase: Product
) -> None:
    company.give_back(Payment.objects.get().provider_ref, 1_900)

    assert is_repaired("refund-unknown")
    assert (state_of(paid_order), Refund.objects.get().state) == (State.CANCELLED, Refund.State.REFUNDED)
    assert company.charges() == [(1_900, 1_900)]
    assert set(balances().values()) == {0}
    assert stock_of(vase) == (2, 0)


def test_a_part_that_the_company_gave_back_calls_a_person(paid_order: Order, company: Company) -> None:
    company.give_back(Payment.objects.get().provider_ref, 500)

    assert is_repaired("refund-unknown")
    assert Payment.objects.get().alarm.startswith("refund-unknown: the payment provider gave €5.00 back")
    assert state_of(paid_order) == State.PAID


def test_a_refund_that_the_company_does_not_know_calls_a_person(paid_order: Order, company: Company) -> None:
    lifecycle.cancel_by_staff(order_id=paid_order.id, by=uuid4(), now=clock.now())
    settle()
    company.forget_refunds()

    assert is_repaired("refund-not-at-provider")
    assert Payment.objects.get().alarm == "refund-not-at-provider: €19.00 of refunds are ours alone"
    assert company.charges() == [(1_900, 0)]


def test_money_that_the_company_never_charged_calls_a_person(paid_order: Order) -> None:
    Payment.objects.update(provider_ref="chg_forged")

    assert is_repaired("capture-without-charge")
    assert "chg_forged" in Payment.objects.get().alarm


def test_another_sum_than_was_charged_calls_a_person(paid_order: Order) -> None:
    LedgerEntry.objects.update(amount=1_800)

    assert is_repaired("charge-differs")
    assert Payment.objects.get().alarm == "charge-differs: charged €19.00, €18.00 in our books"


def test_a_charge_in_a_session_that_is_over_by_our_books_calls_a_person(
    order_of: Callable[..., Order], browser: Client, company: Company
) -> None:
    company.type_card(page_of(browser, order_of()), GOOD_CARD)
    Attempt.objects.update(outcome="expired")
    Payment.objects.update(status="new")

    assert is_repaired("charge-in-closed-session")


def test_what_a_person_looks_at_hides_nothing_new(paid_order: Order, company: Company) -> None:
    Payment.objects.update(alarm="somebody looks at something else")
    company.give_back(Payment.objects.get().provider_ref, 500)

    assert is_repaired("refund-unknown")


def test_a_refusal_of_what_is_sent_back_is_told_and_is_no_repair(
    paid_order: Order, company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget_order(paid_order)
    monkeypatch.setattr("mcommerce.payment.sandbox.api._refund", refuse)

    code, outcomes = found("--repair", "--expect=1")
    assert (code, outcomes) == (1, {"payment-without-order": "not repaired: Declined: closed"})

    monkeypatch.undo()
    assert is_repaired("payment-without-order")
    assert company.charges() == [(1_900, 1_900)]


def test_a_company_that_does_not_answer_is_said_and_nothing_is_compared(paid_order: Order, company: Company) -> None:
    company.go_away()

    code, said, complaint = run("reconcile", "--repair", "--expect=1")

    assert (code, said) == (2, "")
    assert complaint.startswith("The payment provider does not answer, so nothing was compared")


# --- payments, orders, stock ------------------------------------------------------------------------------------------


def test_a_payment_of_an_order_that_is_not_here_goes_back(paid_order: Order, company: Company, vase: Product) -> None:
    forget_order(paid_order)

    assert is_repaired("payment-without-order")
    assert company.charges() == [(1_900, 1_900)]
    assert set(balances().values()) == {0}
    assert not DeadLetter.objects.exists()


def test_a_success_that_the_order_never_heard_of_is_told_again(paid_order: Order) -> None:
    Order.objects.update(state=State.AWAITING_PAYMENT, payment_id=None)

    assert is_repaired("payment-not-heard")
    assert state_of(paid_order) == State.PAID


def test_a_payment_that_nobody_opened_is_asked_for_again(order_of: Callable[..., Order]) -> None:
    order = order_of()
    StatusChange.objects.all().delete()
    Payment.objects.all().delete()

    assert is_repaired("payment-missing")
    assert Payment.objects.get().order_id == order.id


def test_a_cancelled_order_can_no_longer_be_paid(order_of: Callable[..., Order]) -> None:
    order = order_of()
    lifecycle.cancel_by_customer(order_id=order.id, now=clock.now())
    settle()
    Payment.objects.update(status="new")

    assert is_repaired("payment-still-open")
    assert Payment.objects.get().status == "cancelled"


def test_an_order_that_counts_as_paid_and_is_not_calls_a_person(order_of: Callable[..., Order]) -> None:
    order = order_of()
    Order.objects.update(state=State.PAID, payment_id=uuid7())
    Reservation.objects.update(status="committed")

    assert is_repaired("paid-without-payment")
    assert Order.objects.get(id=order.id).needs_attention


def test_pieces_that_are_held_for_an_order_that_is_not_here_are_free_again(
    order_of: Callable[..., Order], vase: Product
) -> None:
    reserve_stock(order_id=uuid7(), lines=lines_of(order_of()), now=clock.now())
    settle(raise_errors=False)
    DeadLetter.objects.all().delete()
    held = stock_of(vase)
    forget_parked()

    assert is_repaired("stock-held-for-nothing")
    assert (held, stock_of(vase)) == ((2, 2), (2, 1))


def test_pieces_of_a_paid_order_leave_the_stock(paid_order: Order, vase: Product) -> None:
    Reservation.objects.update(status="held")
    Stock.objects.update(on_hand=2, held=1, sold=0)

    assert is_repaired("stock-not-taken")
    assert stock_of(vase) == (1, 0)


def test_a_refund_that_the_payments_never_heard_of_is_asked_for_again(paid_order: Order, company: Company) -> None:
    Order.objects.update(state=State.CANCELLED)
    Refund.objects.create(
        order=paid_order, payment_id=Payment.objects.get().id, amount=1_900, currency="EUR", reason="cancelled"
    )

    assert is_repaired("refund-not-heard")
    assert company.charges() == [(1_900, 1_900)]
    assert Refund.objects.get().state == Refund.State.REFUNDED


def test_an_answer_to_a_refund_that_the_order_never_heard_of_is_told_again(paid_order: Order) -> None:
    lifecycle.cancel_by_staff(order_id=paid_order.id, by=uuid4(), now=clock.now())
    settle()
    Refund.objects.update(state=Refund.State.REQUESTED)

    assert is_repaired("refund-answer-not-heard")
    assert Refund.objects.get().state == Refund.State.REFUNDED


def refuse(*given: Any, **named: Any) -> None:
    raise Refused(422, "closed", "This account is closed.")


def lines_of(order: Order) -> list[Any]:
    return [StockLine(product_id=line.product_id, quantity=line.quantity) for line in order.lines.all()]


def forget_parked() -> None:
    ParkedKey.objects.all().delete()
