"""The orders' desk: everything is there to read, nothing to edit, and decisions go through the services."""

from collections.abc import Callable
from dataclasses import replace
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
from mcommerce.orders.admin.orders import OrderAdmin
from mcommerce.orders.models import Order, OrderStep, Refund
from mcommerce.orders.services import lifecycle, refunds
from tests.mcommerce.orders.conftest import BUYER, LATER, STAFF, Shopper, fresh, pay, put_up

LIST = "admin:orders_order_changelist"


@pytest.fixture
def desk(db: None) -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser(email="desk@example.com"))
    return client


def decide(desk: Client, action: str, order: Order, **more: Any) -> str:
    chosen = {"action": action, "_selected_action": [str(order.id)], **more}
    return desk.post(reverse(LIST), chosen, follow=True).content.decode()


def test_an_order_can_be_read_in_full_and_edited_nowhere(desk: Client, paid: Order) -> None:
    page = desk.get(reverse("admin:orders_order_change", args=[paid.id])).content.decode()

    assert all(words in page for words in ("Ada Lovelace", "Talking vase", "€3.17", "20%"))
    assert page.count("€19.00") >= 3
    assert not any(words in page for words in ('name="_save"', ">1900<", ">317<"))
    assert desk.post(reverse("admin:orders_order_change", args=[paid.id]), {"state": "paid"}).status_code == 403


@pytest.mark.needs_app(name="mcommerce.payment")
def test_an_order_leads_to_the_payment_that_paid_it(desk: Client, waiting: Order) -> None:
    page = reverse("admin:orders_order_change", args=[waiting.id])
    before = desk.get(page).content.decode()
    pay(waiting)

    after = desk.get(page).content.decode()

    address = reverse("admin:payment_payment_change", args=[fresh(waiting).payment_id])
    assert f'<div class="readonly"><a href="{address}">' in after
    assert '<div class="readonly"><a href="/admin/payment/' not in before


@pytest.mark.parametrize(
    "words",
    ["number", "vase-1", "VASE-1", "69001", "6a1", "ADA@Example.com", "Ada Lovelace", "lovelace"],
    ids=["number", "sku", "SKU", "postal code", "tracking number", "e-mail address", "name", "part of a name"],
)
def test_an_order_is_found_by_what_people_read_out(
    desk: Client, paid: Order, placed: Callable[..., Order], words: str
) -> None:
    lifecycle.ship(order_id=paid.id, carrier="La Poste", tracking="6A1", by=STAFF, now=LATER)
    other = placed(put_up(sku="CHAIR"), buyer=replace(BUYER, email="bob@b.example", name="Bob", postal_code="1000"))

    page = desk.get(reverse(LIST), {"q": paid.number.lower() if words == "number" else words}).content.decode()

    assert paid.number in page
    assert "€19.00" in page
    assert other.number not in page
    assert paid.number not in desk.get(reverse(LIST), {"q": "' OR 1=1"}).content.decode()


def test_only_an_order_that_needs_a_person_is_marked(desk: Client, paid: Order) -> None:
    pages = [reverse(LIST), reverse("admin:orders_order_change", args=[paid.id])]
    calm = [desk.get(page).text for page in pages]
    Order.objects.update(needs_attention=True)
    alarmed = [desk.get(page).text for page in pages]

    assert not any("icon-no" in page or "icon-alert" in page for page in calm)
    assert all("icon-alert" in page for page in alarmed)


State = Order.State


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

    page = desk.get(address(waiting, "ship")).content.decode()
    assert "1 × Talking vase (VASE-1)" in page
    assert "ada@example.com gets a mail (English)" in page
    press(desk, waiting, "ship", carrier="La Poste", tracking="6A1")
    assert buttons(desk, waiting) == ["deliver", "refund"]

    press(desk, waiting, "deliver")
    assert buttons(desk, waiting) == ["refund"]

    press(desk, waiting, "refund")
    assert buttons(desk, waiting) == ["put-back"]

    press(desk, waiting, "put-back")
    assert buttons(desk, waiting) == []


@pytest.mark.parametrize("pieces", [{}, {"pieces_are_back": "on"}])
def test_a_confirmed_refund_happens_once_and_the_pieces_come_back_if_staff_says_so(
    desk: Client, paid: Order, pieces: dict[str, str]
) -> None:
    lifecycle.ship(order_id=paid.id, carrier="", tracking="", by=STAFF, now=LATER)
    page = desk.get(address(paid, "refund")).content.decode()
    assert "€19.00 goes back to the customer" in page
    assert 'name="pieces_are_back"' in page
    assert published_events(OrderRefundRequested) == [], "nothing before it is confirmed"

    first, second = (press(desk, paid, "refund", **pieces) for _click in range(2))

    assert "Done: Refund." in first
    assert "Nothing was done" in second
    assert fresh(paid).state == State.SHIPPED
    assert len(published_events(OrderRefundRequested)) == 1
    assert len(published_events(OrderReturned)) == len(pieces)


@pytest.mark.parametrize("by_list", [False, True])
def test_cancelling_a_paid_order_names_the_sum_and_the_pieces(desk: Client, paid: Order, by_list: bool) -> None:
    page = desk.get(address(paid, "cancel")).content.decode()
    assert "Done: " in (decide(desk, "cancel", paid) if by_list else press(desk, paid, "cancel"))

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


def test_a_decision_reads_well_in_french(desk: Client, paid: Order) -> None:
    desk.cookies["django_language"] = "fr"

    page = desk.get(address(paid, "cancel")).content.decode()

    assert "Annuler la commande" in page
    assert "19,00\N{NO-BREAK SPACE}€" in page
    assert "will" not in page.partition('id="content-main"')[2].partition("</form>")[0]


# --- who decides, and what is said of them ----------------------------------------------------------------------------


def clerk(*permissions: str) -> Client:
    """Grace of the staff, who may do what is named."""
    grace = get_user_model().objects.create_user(email="grace@example.com", name="Grace Hopper", is_staff=True)
    grace.user_permissions.set(
        Permission.objects.filter(content_type__app_label="orders", codename__in=["view_orderstep", *permissions])
    )
    client = Client()
    client.force_login(grace)
    return client


@pytest.mark.parametrize(
    ("permission", "actions"),
    [
        ("view_order", set()),
        ("cancel_order", {"cancel"}),
        ("ship_order", {"ship", "deliver"}),
        ("refund_order", {"refund_again"}),
        ("change_order", {"looked_at"}),
    ],
)
def test_each_decision_has_a_permission_of_its_own(paid: Order, permission: str, actions: set[str]) -> None:
    page = clerk("view_order", permission).get(reverse(LIST)).content.decode()

    assert {name for name in OrderAdmin.actions if f'<option value="{name}">' in page} == actions


@pytest.mark.parametrize(
    ("permissions", "sees_it"),
    [(("view_order",), True), (("cancel_order", "ship_order", "refund_order", "change_order"), False)],
    ids=["may only look", "may decide but not look"],
)
def test_who_may_only_look_or_only_decide_decides_nothing(
    paid: Order, permissions: tuple[str, ...], sees_it: bool
) -> None:
    client, before = clerk(*permissions), (fresh(paid).state, OrderStep.objects.count())

    for name in DECISIONS:
        assert client.get(address(paid, name)).status_code == 403
        assert client.post(address(paid, name), {"seen": "paid"}).status_code == 403
    for action in OrderAdmin.actions:
        assert (paid.number in decide(client, action, paid)) == sees_it

    page = client.get(reverse("admin:orders_order_change", args=[paid.id]))
    assert (page.status_code == 200) == sees_it
    assert not sees_it or not any(address(paid, name) in page.text for name in DECISIONS)
    assert (fresh(paid).state, OrderStep.objects.count()) == before


@pytest.mark.parametrize("by_list", [False, True])
def test_a_failed_refund_is_tried_again_the_alarm_switched_off_and_the_history_says_by_whom(
    paid: Order, by_list: bool
) -> None:
    lifecycle.cancel_by_staff(order_id=paid.id, by=STAFF, now=LATER)
    refunds.fail(refund_id=Refund.objects.get().id, code="closed", now=LATER)
    grace = clerk("view_order", "refund_order", "change_order")

    assert buttons(grace, paid) == ["refund-again", "looked-at"]
    for name in ("refund-again", "looked-at"):
        if by_list:
            decide(grace, name.replace("-", "_"), paid)
        else:
            press(grace, paid, name)

    assert Refund.objects.get().state == Refund.State.REQUESTED
    assert fresh(paid).needs_attention is False
    decided = OrderStep.objects.filter(by=get_user_model().objects.get(email="grace@example.com").pk)
    assert [step.kind for step in decided] == ["refund_requested", "looked_at"]
    history = grace.get(reverse("admin:orders_order_change", args=[paid.id])).content.decode()
    assert history.count("<p>Grace Hopper</p>") == 2
    assert f"<p>{STAFF}</p>" in history, "of somebody deleted, the id stays"


@pytest.mark.parametrize("tracking", ["6A1", "6" * 100], ids=["short", "as long as its column"])
def test_the_customer_is_told_of_the_parcel_and_not_who_packed_it(
    paid: Order, listener: Shopper, tracking: str
) -> None:
    decide(clerk("view_order", "ship_order"), "ship", paid, carrier=" La Poste ", tracking=tracking)
    Order.objects.update(needs_attention=True)
    lifecycle.note_look(order_id=paid.id, by=STAFF, now=LATER)

    assert (fresh(paid).state, fresh(paid).carrier, fresh(paid).tracking) == (State.SHIPPED, "La Poste", tracking)
    page = listener.look_at(paid).content.decode()
    assert tracking in page
    assert "Grace" not in page
    assert "looked at" not in page


def test_what_there_is_not_or_a_state_does_not_allow_is_not_done(desk: Client, waiting: Order) -> None:
    assert desk.get(address(waiting, "eat")).status_code == 404
    assert desk.get(reverse("admin:orders_order_decide", args=[uuid7(), "ship"])).status_code == 404

    assert "in a state that does not allow it" in decide(desk, "ship", waiting, carrier="", tracking="")
    assert fresh(waiting).state == State.AWAITING_PAYMENT
