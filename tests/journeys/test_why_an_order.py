"""Somebody who knows no bus reads from an order's journey why it was cancelled, and who was charged."""

import re
from collections.abc import Callable
from html import unescape

import pytest
from django.contrib.auth.models import Permission
from django.core import mail
from django.test import Client

from eventbus.ids import uuid7
from eventbus.models import OutboxRow
from eventbus.testing import settle
from mcommerce.accounts.models import User
from mcommerce.orders.models import Order
from mcommerce.products.models import Product
from tests.journeys.five_orders import FiveOrders
from tests.journeys.provider_stub import Company

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("bus_clock")]

LOOK = ("view_outboxrow", "view_order", "view_payment", "view_reservation", "view_timer", "view_deadletter")


@pytest.fixture
def orders(order_of: Callable[..., Order], browser: Client, company: Company) -> FiveOrders:
    return FiveOrders(order_of, browser, company)


def staff(*permissions: str) -> Client:
    user = User.objects.create_user(f"{uuid7()}@example.com", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = Client()
    client.force_login(user)
    return client


def html_of(order: Order, *more: str, language: str = "en") -> str:
    answer = staff(*LOOK, *more).get("/eventbus/journey/", {"q": order.number}, headers={"accept-language": language})
    return unescape(answer.content.decode()).replace("\xa0", " ")


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def answers(html: str) -> dict[str, str]:
    """What the page answers, by question, without the times."""
    found: dict[str, str] = {}
    for question, answer in re.findall(r"<dt>([^<]+)</dt>\s*<dd[^>]*>(.*?)</dd>", html, re.DOTALL):
        text = words(re.sub(r"<time.*?</time>", "", answer, flags=re.DOTALL))
        found[question] = f"{found[question]} {text}" if question in found else text
    return found


def test_paid_and_sent(orders: FiveOrders) -> None:
    said = answers(html_of(orders.paid_and_sent()))

    assert said["Where does it stand?"] == "It is on its way to the customer."
    assert "Why was it cancelled?" not in said
    assert said["Who was charged?"].startswith("The customer, €19.00: card ending in 4242, at sandbox")
    assert said["What went back?"] == "Nothing: no refund was asked for."
    assert said["Which mails did the customer get?"] == "confirmation of the payment, dispatch"
    assert said["Where are the goods?"].startswith("Sold, and out of the stock: 1 × ")


def test_refused_by_the_bank_until_the_time_was_over(orders: FiveOrders) -> None:
    said = answers(html_of(orders.refused()))

    assert said["Where does it stand?"] == "It is cancelled."
    assert said["Why was it cancelled?"] == (
        "It was not paid in time. The payment provider refused 2 tries to pay: the bank declined the card."
    )
    assert said["Who was charged?"] == "Nobody: 1 payment page was opened, and none was paid."
    assert said["Where are the goods?"].startswith("Free for others again: 1 × ")
    assert said["What is awaited?"] == "Nothing: the order has come to its end."


def test_an_order_is_not_at_its_end_while_money_may_still_arrive(orders: FiveOrders) -> None:
    order = orders.refused()
    Order.objects.filter(id=order.id).update(payment_status=Order.PaymentStatus.IN_DOUBT)

    assert "What is awaited?" not in answers(html_of(order))


def test_short_of_stock(orders: FiveOrders, vase: Product) -> None:
    html = html_of(orders.short())
    said = answers(html)

    assert said["Why was it cancelled?"] == (
        "There was not enough in stock when it was placed. Vase: 2 wanted, 1 free."
    )
    assert said["Who was charged?"] == "Nobody: it was never open for payment."
    assert said["Where are the goods?"] == "None was set aside: not all of them were free."
    assert "Reservation: none made" in html


def test_paid_after_the_cancellation_and_sent_back(orders: FiveOrders, company: Company) -> None:
    order = orders.paid_too_late()

    said = answers(html_of(order))

    assert company.charges() == [(1_900, 1_900)]
    assert said["Why was it cancelled?"] == (
        "The customer cancelled it. A payment arrived after that; its refund was asked for."
    )
    assert said["Who was charged?"].startswith("The customer, €19.00: card ending in 4242, at sandbox")
    assert said["What went back?"].startswith("All of it: €19.00")
    assert said["Which mails did the customer get?"] == "cancellation, refund"


def test_a_handler_that_failed_holds_it_up(orders: FiveOrders, monkeypatch: pytest.MonkeyPatch) -> None:
    html = html_of(orders.parked(monkeypatch))

    said = answers(html)
    assert said["Where does it stand?"] == "It is paid, and not sent yet."
    assert said["Where are the goods?"].startswith("Set aside for the order: 1 × ")
    assert "order.paid.v1 → products : failed for good: an operator must decide" in words(html)
    assert "What this group does with the event has not happened." in words(html)


def test_a_hop_whose_group_stands_still_is_expected_and_not_there(order_of: Callable[..., Order]) -> None:
    order = order_of(quiet=True)
    settle(only=["orders", "payment"])

    html = html_of(order)

    assert "order.placed.v1 → products : has not handled it yet" in words(html)
    assert answers(html)["What is awaited?"] == "The answer of the stock."
    assert "Where are the goods?" not in answers(html)


def test_an_event_that_never_came_leaves_its_order_waiting_in_plain_words(order_of: Callable[..., Order]) -> None:
    order = order_of(quiet=True)
    settle(only=["products"])
    OutboxRow.objects.filter(type="stock.reserved.v1").delete()

    said = answers(html_of(order))

    assert said["Where are the goods?"].startswith("Set aside for the order: 1 × ")
    assert said["Where does it stand?"].startswith("It is placed. The stock has not said yet")
    assert said["What is awaited?"] == "The answer of the stock."


def test_the_address_of_a_mail_is_for_those_who_may_look_into_payloads(orders: FiveOrders) -> None:
    order = orders.paid_and_sent()

    assert order.email in {to for sent in mail.outbox for to in sent.to}
    assert order.email not in html_of(order)
    assert order.email in answers(html_of(order, "view_payload"))["Which mails did the customer get?"]


def test_the_answers_are_in_french_for_french_staff(orders: FiveOrders) -> None:
    said = answers(html_of(orders.refused(), language="fr"))

    assert said["Pourquoi a-t-elle été annulée ?"].startswith("Elle n’a pas été payée à temps.")
    assert said["Qui a été débité ?"].startswith("Personne")
