"""The orders' desk: everything is there to read, nothing to edit, and decisions go through the services."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from eventbus.testing import published_events
from mcommerce.events import OrderRefundRequested
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

    assert "Ada Lovelace" in page
    assert "Talking vase" in page
    assert 'name="_save"' not in page
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


def test_the_list_can_be_searched_by_number_and_shows_alarms(desk: Client, paid: Order) -> None:
    page = desk.get(reverse(LIST), {"q": paid.number.lower()}).content.decode()

    assert paid.number in page
    assert "€19.00" in page


@pytest.mark.parametrize(
    "words",
    ["vase-1", "VASE-1", "69001", "6a1", "ADA@Example.com", "Ada Lovelace", "lovelace"],
    ids=["sku", "SKU", "postal code", "tracking number", "e-mail address", "name", "part of a name"],
)
def test_an_order_is_found_by_what_people_read_out(
    desk: Client, paid: Order, placed: Callable[..., Order], words: str
) -> None:
    lifecycle.ship(order_id=paid.id, carrier="La Poste", tracking="6A1", by=STAFF, now=LATER)
    other = placed(put_up(sku="CHAIR"), buyer=replace(BUYER, email="bob@b.example", name="Bob", postal_code="1000"))

    page = desk.get(reverse(LIST), {"q": words}).content.decode()

    assert paid.number in page
    assert other.number not in page


def test_what_no_order_has_finds_none(desk: Client, paid: Order) -> None:
    for words in ("M-000000", "nobody@example.com", "' OR 1=1", str(uuid4())):
        assert paid.number not in desk.get(reverse(LIST), {"q": words}).content.decode()


def test_only_an_order_that_needs_a_person_is_marked(desk: Client, paid: Order) -> None:
    pages = [reverse(LIST), reverse("admin:orders_order_change", args=[paid.id])]
    calm = [desk.get(page).text for page in pages]
    Order.objects.update(needs_attention=True)
    alarmed = [desk.get(page).text for page in pages]

    assert not any("icon-no" in page or "icon-alert" in page for page in calm)
    assert all("icon-alert" in page for page in alarmed)


def test_the_page_shows_money_as_money(desk: Client, paid: Order) -> None:
    page = desk.get(reverse("admin:orders_order_change", args=[paid.id])).content.decode()

    assert page.count("€19.00") >= 3
    assert "€3.17" in page
    assert "20%" in page
    assert ">1900<" not in page
    assert ">317<" not in page


def test_the_offers_can_be_read(desk: Client) -> None:
    put_up()

    assert "VASE-1" in desk.get(reverse("admin:orders_offer_changelist")).content.decode()


def test_staff_cancels_a_paid_order(desk: Client, paid: Order) -> None:
    page = decide(desk, "cancel", paid)

    assert "Done: 1." in page
    assert fresh(paid).state == Order.State.CANCELLED
    assert len(published_events(OrderRefundRequested)) == 1


def test_staff_sends_an_order_and_has_it_delivered(desk: Client, paid: Order) -> None:
    decide(desk, "ship", paid, carrier="La Poste", tracking="6A1")
    assert (fresh(paid).state, fresh(paid).tracking) == (Order.State.SHIPPED, "6A1")

    decide(desk, "deliver", paid)
    assert fresh(paid).state == Order.State.DELIVERED


def test_a_tracking_number_as_long_as_its_column_is_kept_whole(desk: Client, paid: Order) -> None:
    decide(desk, "ship", paid, carrier=" La Poste ", tracking="6" * 100)

    assert (fresh(paid).carrier, fresh(paid).tracking) == ("La Poste", "6" * 100)


def test_what_a_state_does_not_allow_is_said(desk: Client, waiting: Order) -> None:
    page = decide(desk, "ship", waiting, carrier="", tracking="")

    assert "in a state that does not allow it" in page
    assert fresh(waiting).state == Order.State.AWAITING_PAYMENT


def test_a_failed_refund_is_tried_again_and_the_alarm_switched_off(desk: Client, paid: Order) -> None:
    lifecycle.cancel_by_staff(order_id=paid.id, by=STAFF, now=LATER)
    refunds.fail(refund_id=Refund.objects.get().id, code="closed", now=LATER)

    decide(desk, "refund_again", paid)
    decide(desk, "looked_at", paid)

    assert Refund.objects.get().state == Refund.State.REQUESTED
    assert fresh(paid).needs_attention is False


def clerk(*permissions: str) -> Client:
    """Grace of the staff, who may see orders and do what is named."""
    grace = get_user_model().objects.create_user(email="grace@example.com", name="Grace Hopper", is_staff=True)
    allowed = ["view_order", "view_orderstep", *permissions]
    grace.user_permissions.set(Permission.objects.filter(content_type__app_label="orders", codename__in=allowed))
    client = Client()
    client.force_login(grace)
    return client


@pytest.mark.parametrize(
    ("permission", "actions"),
    [
        ("cancel_order", {"cancel"}),
        ("ship_order", {"ship", "deliver"}),
        ("refund_order", {"refund_again"}),
        ("change_order", {"looked_at"}),
    ],
)
def test_each_decision_has_a_permission_of_its_own(paid: Order, permission: str, actions: set[str]) -> None:
    page = clerk(permission).get(reverse(LIST)).content.decode()

    assert {name for name in OrderAdmin.actions if f'<option value="{name}">' in page} == actions


def test_every_decision_says_who_in_the_history_that_staff_see(paid: Order) -> None:
    lifecycle.cancel_by_staff(order_id=paid.id, by=STAFF, now=LATER)
    refunds.fail(refund_id=Refund.objects.get().id, code="closed", now=LATER)
    grace = clerk("refund_order", "change_order")

    decide(grace, "refund_again", paid)
    decide(grace, "looked_at", paid)

    history = grace.get(reverse("admin:orders_order_change", args=[paid.id])).content.decode()
    decided = OrderStep.objects.filter(by=get_user_model().objects.get(email="grace@example.com").pk)
    assert [step.kind for step in decided] == ["refund_requested", "looked_at"]
    assert history.count("<p>Grace Hopper</p>") == 2
    assert f"<p>{STAFF}</p>" in history, "of somebody deleted, the id stays"


def test_the_customer_is_not_told_who_packed_it_or_looked_at_it(paid: Order, listener: Shopper) -> None:
    decide(clerk("ship_order"), "ship", paid, carrier="La Poste", tracking="6A1")
    Order.objects.update(needs_attention=True)
    lifecycle.note_look(order_id=paid.id, by=STAFF, now=LATER)

    page = listener.look_at(paid).content.decode()

    assert "6A1" in page
    assert "Grace" not in page
    assert "looked at" not in page


@pytest.mark.parametrize("action", OrderAdmin.actions)
def test_who_may_decide_but_not_look_finds_no_list_to_decide_from(paid: Order, action: str) -> None:
    client = Client()
    blind = get_user_model().objects.create_user(email="blind@example.com", is_staff=True)
    blind.user_permissions.add(*Permission.objects.filter(codename__endswith="_order").exclude(codename="view_order"))
    client.force_login(blind)
    before = fresh(paid).state, OrderStep.objects.count()

    page = decide(client, action, paid)

    assert paid.number not in page
    assert client.get(reverse("admin:orders_order_change", args=[paid.id])).status_code == 403
    assert (fresh(paid).state, OrderStep.objects.count()) == before


def test_who_may_only_look_decides_nothing(paid: Order) -> None:
    client = Client()
    reader = get_user_model().objects.create_user(email="reader@example.com", is_staff=True)
    reader.user_permissions.add(Permission.objects.get(codename="view_order"))
    client.force_login(reader)

    page = decide(client, "cancel", paid)

    assert paid.number in page
    assert fresh(paid).state == Order.State.PAID
