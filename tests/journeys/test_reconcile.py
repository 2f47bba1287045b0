"""`manage.py reconcile` finds what company, payments, orders, stock and bus say differently, and mends it."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction
from django.test import Client
from django.urls import reverse

from eventbus import clock, publish
from eventbus.ids import uuid7
from eventbus.models import DeadLetter, ParkedKey
from eventbus.testing import settle
from mcommerce.events import PaymentFailed, PaymentSucceeded, StockLine
from mcommerce.orders.models import Order, Refund
from mcommerce.orders.services import lifecycle
from mcommerce.payment.models import Attempt, LedgerEntry, Payment, StatusChange, WebhookReceipt
from mcommerce.payment.models import Refund as PaymentRefund
from mcommerce.payment.providers import provider_named
from mcommerce.payment.providers.sandbox import Sandbox
from mcommerce.payment.sandbox.api import Refused
from mcommerce.payment.services import reconciliation
from mcommerce.payment.services.ledger import balances
from mcommerce.payment.services.provider_answers import settle as settle_attempt
from mcommerce.products.models import Product, Reservation, Stock
from mcommerce.products.services.stock import reserve_stock
from mcommerce.reconcile import bus_differences
from tests.eventbus.test_commands import run
from tests.journeys.conftest import GOOD_CARD
from tests.journeys.order_queries import page_of, state_of, stock_of
from tests.journeys.provider_stub import Company

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("bus_clock", "company")]

State = Order.State


def found(*options: str) -> tuple[int, dict[str, str]]:
    """The exit code, and each difference by name with what came of it."""
    code, said, _complaint = run("reconcile", "--json", *options)
    return code, {one["name"]: one["outcome"] for one in json.loads(said)["differences"]}


def is_repaired(*names: str) -> bool:
    """These are found and nothing is changed by finding them; then they are repaired, and a further run finds none."""
    assert found() == found() == (1, dict.fromkeys(names, ""))
    assert found("--repair", f"--expect={len(names)}") == (0, dict.fromkeys(names, "repaired"))
    settle()
    assert found() == (0, {})
    return True


def forget_payment(order: Order) -> None:
    """What a database knows of the payment that was saved before there was one."""
    for model in (LedgerEntry, PaymentRefund, Attempt):
        model.objects.filter(payment__order_id=order.id).delete()
    WebhookReceipt.objects.all().delete()
    Payment.objects.filter(order_id=order.id).delete()


def test_where_all_say_the_same_nothing_is_found(paid_order: Order) -> None:
    code, said, complaint = run("reconcile")

    assert (code, said.strip(), complaint) == (0, "0 differences, 0 repaired.", "")

    lifecycle.cancel_by_staff(order_id=paid_order.id, by=uuid4(), now=clock.now())
    settle()

    assert found() == (0, {})


# --- the company ------------------------------------------------------------------------------------------------------


def test_a_charge_of_an_order_that_is_not_here_is_sent_back(paid_order: Order, company: Company) -> None:
    Reservation.objects.all().delete()
    forget_payment(paid_order)
    Order.objects.all().delete()

    assert is_repaired("charge-without-order")
    assert company.charges() == [(1_900, 1_900)]


@pytest.mark.parametrize(("given_back", "refunds"), [(0, [Refund.State.REFUNDED]), (700, [])])
def test_a_charge_of_an_order_that_was_cancelled_before_it_could_be_paid_is_sent_back(
    paid_order: Order, company: Company, given_back: int, refunds: list[str]
) -> None:
    """As the backup has it; since then it had waited for its money, and was paid."""
    charge = Payment.objects.get().provider_ref
    Reservation.objects.all().delete()
    forget_payment(paid_order)
    Order.objects.update(state=State.CANCELLED, payment_id=None)
    if given_back:
        company.give_back(charge, given_back)

    assert is_repaired("charge-without-payment")
    assert company.charges() == [(1_900, 1_900)]
    assert list(Refund.objects.values_list("state", flat=True)) == refunds


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


@pytest.mark.parametrize("alarm", ["", "somebody looks at something else"])
def test_a_part_that_the_company_gave_back_calls_a_person(paid_order: Order, company: Company, alarm: str) -> None:
    Payment.objects.update(alarm=alarm)
    company.give_back(Payment.objects.get().provider_ref, 500)

    assert is_repaired("refund-unknown")
    assert "refund-unknown: the payment provider gave €5.00 back" in Payment.objects.get().alarm
    assert state_of(paid_order) == State.PAID


def test_a_refund_that_the_company_does_not_know_calls_a_person(paid_order: Order, company: Company) -> None:
    lifecycle.cancel_by_staff(order_id=paid_order.id, by=uuid4(), now=clock.now())
    settle()
    company.forget_refunds()

    assert is_repaired("refund-not-at-provider")
    assert Payment.objects.get().alarm == "refund-not-at-provider: €19.00 of refunds are ours alone"
    assert company.charges() == [(1_900, 0)]


@pytest.mark.parametrize(
    ("table", "wrong", "name", "alarm"),
    [
        (Payment, {"provider_ref": "chg_forged"}, "capture-without-charge", "chg_forged"),
        (LedgerEntry, {"amount": 1_800}, "charge-differs", "charge-differs: charged €19.00, €18.00 in our books"),
    ],
    ids=["never charged", "another sum"],
)
def test_money_of_which_the_company_says_otherwise_calls_a_person(
    paid_order: Order, table: Any, wrong: dict[str, Any], name: str, alarm: str
) -> None:
    table.objects.update(**wrong)

    assert is_repaired(name)
    assert alarm in Payment.objects.get().alarm


def test_a_charge_in_a_session_that_is_over_by_our_books_calls_a_person(
    order_of: Callable[..., Order], browser: Client, company: Company
) -> None:
    company.type_card(page_of(browser, order_of()), GOOD_CARD)
    Attempt.objects.update(outcome="expired")
    Payment.objects.update(status="new")

    assert is_repaired("charge-in-closed-session")


def test_a_refusal_of_what_is_sent_back_is_told_and_is_no_repair(
    paid_order: Order, company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    Order.objects.all().delete()
    monkeypatch.setattr("mcommerce.payment.sandbox.api._refund", refuse)

    code, outcomes = found("--repair", "--expect=1")
    assert (code, outcomes) == (1, {"payment-without-order": "not repaired: Declined: closed"})

    monkeypatch.undo()
    assert is_repaired("payment-without-order")
    assert company.charges() == [(1_900, 1_900)]


def refuse(*given: Any, **named: Any) -> None:
    raise Refused(422, "closed", "This account is closed.")


def test_a_company_that_does_not_answer_is_said_and_nothing_is_compared(paid_order: Order, company: Company) -> None:
    company.go_away()

    code, said, complaint = run("reconcile", "--repair", "--expect=1")

    assert (code, said) == (2, "")
    assert complaint.startswith("The payment provider does not answer, so nothing was compared")


# --- charged a second time --------------------------------------------------------------------------------------------


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


# --- payments, orders, stock, the bus ---------------------------------------------------------------------------------


def test_a_payment_of_an_order_that_is_not_here_goes_back(paid_order: Order, company: Company, vase: Product) -> None:
    Order.objects.all().delete()

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
    lines = [StockLine(product_id=line.product_id, quantity=line.quantity) for line in order_of().lines.all()]
    reserve_stock(order_id=uuid7(), lines=lines, now=clock.now())
    settle(raise_errors=False)
    DeadLetter.objects.all().delete()
    held = stock_of(vase)
    ParkedKey.objects.all().delete()

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


def test_what_died_for_an_order_that_is_not_here_is_discarded(vase: Product) -> None:
    with transaction.atomic():
        taken = {"amount": 1_900, "currency": "EUR", "provider": "sandbox", "provider_ref": "chg_1"}
        publish(PaymentSucceeded(payment_id=uuid7(), order_id=uuid7(), **taken))
    settle(raise_errors=False)
    assert DeadLetter.objects.count() == 1

    assert is_repaired("dead-letter-without-order")


# --- while others go on -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lacks", ["the news", "its payment"])
def test_an_order_with_events_under_way_is_left_out_and_counted(paid_order: Order, lacks: str) -> None:
    Order.objects.update(state=State.AWAITING_PAYMENT, payment_id=None)
    if lacks == "its payment":
        forget_payment(paid_order)
    with transaction.atomic():
        publish(PaymentFailed(payment_id=uuid7(), order_id=paid_order.id, code="card_declined", retryable=True))

    code, said, _ = run("reconcile")

    assert code == 0
    assert "1 orders were left out: events about them are under way" in said


@pytest.mark.parametrize("forgotten", ["the order", "the payment too"])
def test_an_order_that_is_not_here_is_not_waited_for(paid_order: Order, company: Company, forgotten: str) -> None:
    """No event brings it: its money goes back although something about it is parked, and may be so for long."""
    key, now = str(paid_order.id), clock.now()
    Order.objects.all().delete()
    if forgotten == "the payment too":
        forget_payment(paid_order)
    place = {"group": "orders", "topic": "payment", "partition": 0}
    ParkedKey.objects.create(key=key, due_at=now, parked_at=now, **place)

    assert run("reconcile", "--repair", "--expect=1")[0] == 0
    assert company.charges() == [(1_900, 1_900)]


def test_a_payment_that_is_captured_while_the_charges_are_listed_is_no_difference(
    paid_order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mcommerce.payment.services.reconciliation.charges", lambda provider: iter([]))

    assert run("reconcile")[0] == 0


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


# --- asking -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A terminal with somebody who answers no at first, and then yes; what they were asked."""
    questions: list[str] = []

    def answer(question: str) -> str:
        questions.append(question)
        return "n" if len(questions) == 1 else "y"

    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", answer)
    return questions


def test_each_repair_is_asked_for_and_no_leaves_it(paid_order: Order, asked: list[str], company: Company) -> None:
    company.give_back(Payment.objects.get().provider_ref, 1_900)

    code, said, complaint = run("reconcile", "--repair")
    assert (code, state_of(paid_order)) == (1, State.PAID)
    assert "1 differences (refund-unknown 1), 0 repaired." in said
    assert "Cancel the order? [y/N]" in asked[0]

    code, said, complaint = run("reconcile", "--repair")
    settle()
    assert (code, complaint, state_of(paid_order)) == (0, "", State.CANCELLED)
    assert paid_order.number in said


@pytest.mark.parametrize("line", [["--expect=1"], ["--repair"], ["--repair", "--json"]])
def test_a_line_that_could_not_be_asked_about_changes_nothing_and_says_what_to_add(line: list[str]) -> None:
    code, said, complaint = run("reconcile", *line)

    assert (code, said) == (2, "")
    assert "--repair" in complaint or "--expect" in complaint


def test_another_number_than_the_list_had_repairs_nothing(paid_order: Order, company: Company) -> None:
    Order.objects.all().delete()
    forget_payment(paid_order)

    code, said, complaint = run("reconcile", "--repair", "--expect=2")

    assert (code, said) == (2, "")
    assert complaint.strip() == "There are 1 differences, and not 2: look again. Nothing was repaired."
    assert company.charges() == [(1_900, 0)]


def test_a_charge_for_what_is_no_order_of_ours_is_named_and_stays(
    paid_order: Order, company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another system on the same account: its money is not ours to send back."""
    Order.objects.all().delete()
    forget_payment(paid_order)
    listed = reconciliation.charges
    monkeypatch.setattr(
        "mcommerce.payment.services.reconciliation.charges",
        lambda provider: ([replace(one, order_id="invoice 7") for one in page] for page in listed(provider)),
    )

    assert found("--repair", "--expect=1") == (1, {"charge-of-another-system": "left"})
    assert company.charges() == [(1_900, 0)]
