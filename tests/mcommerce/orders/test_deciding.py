"""An order's page at the desk has its buttons; each says what will happen before it does."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from eventbus.ids import uuid7
from eventbus.testing import published_events
from mcommerce.events import OrderRefundRequested, OrderReturned
from mcommerce.orders import mail
from mcommerce.orders.admin.decisions import DECISIONS
from mcommerce.orders.models import Order, Refund
from mcommerce.orders.services import lifecycle, refunds
from tests.mcommerce.orders.conftest import LATER, STAFF, fresh, pay, put_up

State = Order.State


@pytest.fixture
def desk(db: None) -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser(email="desk@example.com"))
    return client


def address(order: Order, name: str) -> str:
    return reverse("admin:orders_order_decide", args=[order.id, name])


def buttons(desk: Client, order: Order) -> list[str]:
    page = desk.get(reverse("admin:orders_order_change", args=[order.id])).content.decode()
    return [name for name in DECISIONS if f'href="{address(order, name)}"' in page]


def press(desk: Client, order: Order, name: str, **answers: Any) -> str:
    """Confirm on the page that says what will happen, as one who has just seen it."""
    seen = {"seen": fresh(order).state, **answers}
    return desk.post(address(order, name), seen, follow=True).content.decode()


def test_the_page_offers_what_the_state_allows(desk: Client, waiting: Order) -> None:
    assert buttons(desk, waiting) == ["cancel"]

    pay(waiting)
    assert buttons(desk, waiting) == ["ship", "cancel"]

    press(desk, waiting, "ship", carrier="La Poste", tracking="6A1")
    assert buttons(desk, waiting) == ["deliver", "refund"]

    press(desk, waiting, "deliver")
    assert buttons(desk, waiting) == ["refund"]

    press(desk, waiting, "refund")
    assert buttons(desk, waiting) == ["put-back"]

    press(desk, waiting, "put-back")
    assert buttons(desk, waiting) == []


def test_a_refund_says_what_will_happen_and_changes_nothing_before_it_is_confirmed(desk: Client, paid: Order) -> None:
    lifecycle.ship(order_id=paid.id, carrier="", tracking="", by=STAFF, now=LATER)

    page = desk.get(address(paid, "refund")).content.decode()

    assert "€19.00 goes back to the customer" in page
    assert 'name="pieces_are_back"' in page
    assert published_events(OrderRefundRequested) == []


@pytest.mark.parametrize("pieces", [{}, {"pieces_are_back": "on"}])
def test_a_confirmed_refund_happens_once_and_the_pieces_come_back_if_staff_says_so(
    desk: Client, paid: Order, pieces: dict[str, str]
) -> None:
    lifecycle.ship(order_id=paid.id, carrier="", tracking="", by=STAFF, now=LATER)

    first, second = (press(desk, paid, "refund", **pieces) for _click in range(2))

    assert "Done: Refund." in first
    assert "Nothing was done" in second
    assert fresh(paid).state == State.SHIPPED
    assert len(published_events(OrderRefundRequested)) == 1
    assert len(published_events(OrderReturned)) == len(pieces)


def test_shipping_asks_for_the_carrier_and_names_the_mail(desk: Client, paid: Order) -> None:
    page = desk.get(address(paid, "ship")).content.decode()
    press(desk, paid, "ship", carrier="La Poste", tracking="6A1")

    assert "1 × Talking vase (VASE-1)" in page
    assert "ada@example.com gets a mail (English)" in page
    assert (fresh(paid).state, fresh(paid).carrier, fresh(paid).tracking) == (State.SHIPPED, "La Poste", "6A1")


def test_cancelling_a_paid_order_names_the_sum_and_the_pieces(desk: Client, paid: Order) -> None:
    page = desk.get(address(paid, "cancel")).content.decode()
    press(desk, paid, "cancel")

    assert "€19.00 goes back to the customer" in page
    assert "1 × Talking vase (VASE-1)" in page
    assert fresh(paid).state == State.CANCELLED
    assert len(published_events(OrderRefundRequested)) == 1


def test_cancelling_what_cost_nothing_is_mailed_as_the_page_says(
    desk: Client, placed: Callable[..., Order], mailoutbox: list
) -> None:
    earlier, free = (placed(put_up(price=0)) for _order in range(2))
    for order in (earlier, free):
        lifecycle.await_payment(order_id=order.id, now=LATER)
    mail.send("paid", earlier.id)  # the one of today, as of an order that nobody paid

    page = desk.get(address(free, "cancel")).content.decode()
    press(desk, free, "cancel")

    assert "ada@example.com gets a mail (English): that it is cancelled" in page
    assert mail.send("cancelled", free.id) == "cancelled"
    assert [message.to for message in mailoutbox] == [["ada@example.com"]] * 2


def test_what_changed_since_the_page_was_read_is_shown_before_it_is_done(desk: Client, waiting: Order) -> None:
    """Paid meanwhile: cancelling it now sends money back, of which the page had said nothing."""
    pay(waiting)

    page = desk.post(address(waiting, "cancel"), {"seen": "awaiting_payment"}).content.decode()

    assert "The order has changed meanwhile" in page
    assert "€19.00 goes back to the customer" in page
    assert fresh(waiting).state == State.PAID


def test_a_failed_refund_is_tried_again_and_the_alarm_switched_off(desk: Client, paid: Order) -> None:
    lifecycle.cancel_by_staff(order_id=paid.id, by=STAFF, now=LATER)
    refunds.fail(refund_id=Refund.objects.get().id, code="closed", now=LATER)

    assert buttons(desk, paid) == ["refund-again", "looked-at"]
    press(desk, paid, "refund-again")
    press(desk, paid, "looked-at")

    assert Refund.objects.get().state == Refund.State.REQUESTED
    assert fresh(paid).needs_attention is False


def test_who_decided_is_written_down(desk: Client, paid: Order) -> None:
    press(desk, paid, "ship", carrier="", tracking="")
    press(desk, paid, "refund", pieces_are_back="on")

    decided = dict(paid.steps.exclude(by=None).values_list("kind", "by"))
    assert decided == dict.fromkeys(
        ["shipped", "refund_requested", "returned"], get_user_model().objects.get(email="desk@example.com").pk
    )


@pytest.mark.parametrize("name", DECISIONS)
def test_who_may_decide_but_not_look_decides_nothing(paid: Order, name: str) -> None:
    client = Client()
    blind = get_user_model().objects.create_user(email="blind@example.com", is_staff=True)
    blind.user_permissions.add(*Permission.objects.filter(codename__endswith="_order").exclude(codename="view_order"))
    client.force_login(blind)

    assert client.post(address(paid, name), {"seen": "paid"}).status_code == 403
    assert fresh(paid).state == State.PAID


@pytest.mark.parametrize("name", DECISIONS)
def test_who_may_only_look_has_no_buttons_and_decides_nothing(paid: Order, name: str) -> None:
    client = Client()
    reader = get_user_model().objects.create_user(email="reader@example.com", is_staff=True)
    reader.user_permissions.add(Permission.objects.get(codename="view_order"))
    client.force_login(reader)

    assert buttons(client, paid) == []
    assert client.get(address(paid, name)).status_code == 403
    assert client.post(address(paid, name), {"seen": "paid"}).status_code == 403
    assert fresh(paid).state == State.PAID


def test_what_there_is_not_is_not_found(desk: Client, paid: Order) -> None:
    assert desk.get(address(paid, "eat")).status_code == 404
    assert desk.get(reverse("admin:orders_order_decide", args=[uuid7(), "ship"])).status_code == 404


def test_a_decision_reads_well_in_french(desk: Client, paid: Order) -> None:
    desk.cookies["django_language"] = "fr"

    page = desk.get(address(paid, "cancel")).content.decode()

    assert "Annuler la commande" in page
    assert "19,00\N{NO-BREAK SPACE}€" in page
    assert "will" not in page.partition('id="content-main"')[2].partition("</form>")[0]
