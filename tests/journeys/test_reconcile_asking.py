"""`manage.py reconcile`: what it asks before it repairs, what it leaves out, and what died for nothing."""

from dataclasses import replace

import pytest
from django.db import transaction

from eventbus import clock, publish
from eventbus.ids import uuid7
from eventbus.models import DeadLetter, ParkedKey
from eventbus.testing import settle
from mcommerce.events import PaymentFailed, PaymentSucceeded
from mcommerce.orders.models import Order
from mcommerce.payment.models import Payment
from mcommerce.payment.services import reconciliation
from mcommerce.products.models import Product
from tests.eventbus.test_commands import run
from tests.journeys.order_queries import state_of
from tests.journeys.provider_stub import Company
from tests.journeys.reconcile_steps import forget_payment, found, is_repaired

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("bus_clock", "company")]

State = Order.State


# --- the bus ----------------------------------------------------------------------------------------------------------


def test_what_died_for_an_order_that_is_not_here_is_discarded(vase: Product) -> None:
    with transaction.atomic():
        taken = {"amount": 1_900, "currency": "EUR", "provider": "sandbox", "provider_ref": "chg_1"}
        publish(PaymentSucceeded(payment_id=uuid7(), order_id=uuid7(), **taken))
    settle(raise_errors=False)
    assert DeadLetter.objects.count() == 1

    assert is_repaired("dead-letter-without-order")


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
