"""An order's page: who may see it, what it says in each state, and what it lets one do."""

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.urls import reverse

from eventbus import clock
from eventbus.ids import uuid7
from mcommerce.orders import access
from mcommerce.orders.models import Order, Refund
from mcommerce.orders.services import lifecycle, refunds
from tests.mcommerce.orders.conftest import BUYER, LATER, NOW, Shopper, fresh, let_in, pay, put_up

# --- who -----------------------------------------------------------------------------------------------------------


def test_who_placed_it_sees_it_and_another_browser_does_not(shopper: Shopper) -> None:
    shopper.add(put_up())
    shopper.check_out()
    order = Order.objects.get()

    assert shopper.look_at(order).status_code == 200
    assert Shopper().look_at(order).status_code == 404
    assert Shopper().look_at(order, fragment=1).status_code == 404
    assert "no-store" in shopper.look_at(order)["Cache-Control"]


def test_the_mails_link_lets_a_browser_in_and_leaves_no_key_in_its_address(waiting: Order) -> None:
    anywhere = Shopper()

    opened = anywhere.open_link(waiting, access.link_key(waiting.id))

    assert opened.url == reverse("orders:order", args=[waiting.id])
    assert (opened.headers["Referrer-Policy"], "no-store" in opened.headers["Cache-Control"]) == ("no-referrer", True)
    assert anywhere.look_at(waiting).status_code == 200


def test_a_link_opens_its_own_order_only(placed: Callable[..., Order]) -> None:
    mine, other = placed(), placed()

    for order, key in ((other, access.link_key(mine.id)), (mine, "forged"), (mine, "")):
        stranger = Shopper()
        assert stranger.open_link(order, key).url == reverse("orders:order", args=[order.id])
        assert stranger.look_at(order).status_code == 404

    assert Shopper().look_at(mine, key=access.link_key(mine.id)).status_code == 404, "the page itself takes no key"
    assert Shopper().open_link(mine, "a\0b").status_code == 400


def test_only_who_may_see_an_order_may_cancel_it(waiting: Order, shopper: Shopper) -> None:
    assert shopper.cancel(waiting).status_code == 404
    assert fresh(waiting).state == Order.State.AWAITING_PAYMENT

    let_in(shopper, waiting)
    assert shopper.browser.get(reverse("orders:cancel", args=[waiting.id])).status_code == 405, "a link cannot cancel"
    assert fresh(waiting).state == Order.State.AWAITING_PAYMENT
    shopper.cancel(waiting)
    assert fresh(waiting).state == Order.State.CANCELLED


# --- what ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def look(shopper: Shopper) -> Callable[[Order], str]:
    """What the page says to who placed the order."""

    def see(order: Order) -> str:
        let_in(shopper, order)
        return shopper.look_at(order).content.decode()

    return see


@pytest.mark.needs_app(name="mcommerce.payment")
def test_an_order_that_waits_shows_its_sum_vat_and_time_and_can_be_paid(
    waiting: Order, look: Callable[[Order], str]
) -> None:
    page = look(waiting)

    assert reverse("payment:pay", args=[waiting.id]) in page
    assert "Pay €19.00" in page
    assert "of which VAT 20%: €3.17" in page
    assert 'data-seconds="1800"' in page
    clock.advance(minutes=31)
    assert reverse("payment:pay", args=[waiting.id]) not in look(waiting)


@pytest.mark.needs_app(name="mcommerce.payment")
@pytest.mark.parametrize("code", ["card_declined", "x" * 201], ids=["known", "longer than its column"])
def test_a_decline_is_said_and_another_try_offered(waiting: Order, look: Callable[[Order], str], code: str) -> None:
    lifecycle.note_decline(order_id=waiting.id, payment_id=uuid7(), code=code, retryable=True, now=NOW)

    assert waiting.steps.get(kind="declined").detail == code[:200]
    assert ("Your bank declined the card." in look(waiting)) == (code == "card_declined")
    assert "Try again" in look(waiting)


@pytest.mark.needs_app(name="mcommerce.payment")
def test_after_the_last_try_no_other_one_is_offered(waiting: Order, look: Callable[[Order], str]) -> None:
    lifecycle.note_decline(order_id=waiting.id, payment_id=uuid7(), code="invalid_request", retryable=False, now=NOW)

    page = look(waiting)

    assert "It cannot be tried again." in page
    assert "perhaps with another card" not in page
    assert reverse("payment:pay", args=[waiting.id]) not in page


@pytest.mark.needs_app(name="mcommerce.payment")
def test_money_that_did_not_fit_is_not_asked_for_again(waiting: Order, look: Callable[[Order], str]) -> None:
    pay(waiting, amount=1)

    page = look(waiting)

    assert reverse("payment:pay", args=[waiting.id]) not in page
    assert "Your money is on its way back to you: €0.01." in page


@pytest.mark.needs_app(name="mcommerce.payment")
def test_an_order_just_placed_cannot_be_paid_yet(placed: Callable[..., Order], look: Callable[[Order], str]) -> None:
    order = placed()

    page = look(order)

    assert "setting everything aside" in page
    assert reverse("payment:pay", args=[order.id]) not in page
    assert reverse("orders:cancel", args=[order.id]) in page
    assert '<noscript><meta http-equiv="refresh"' in page


def test_a_paid_order_says_thank_you_and_cannot_be_cancelled(
    paid: Order, look: Callable[[Order], str], shopper: Shopper
) -> None:
    page = look(paid)

    assert "Paid, thank you!" in page
    assert reverse("orders:cancel", args=[paid.id]) not in page
    assert "http-equiv" not in page
    shopper.cancel(paid)
    assert "too late to cancel" in look(paid)
    assert fresh(paid).state == Order.State.PAID


def test_a_cancelled_order_says_why_where_the_money_is_and_when_nobody_need_ask_again(
    paid: Order, look: Callable[[Order], str]
) -> None:
    assert "data-final" not in look(paid)
    lifecycle.lose_stock(order_id=paid.id, now=LATER)
    on_its_way = look(paid)
    assert "Your money is on its way back to you: €19.00." in on_its_way
    assert "in our stock any more" in on_its_way
    assert "data-final" not in on_its_way

    refunds.settle(refund_id=Refund.objects.get().id, now=LATER)
    assert "Your money was sent back to you: €19.00." in look(paid)
    assert "data-final" in look(paid)


def test_what_people_typed_is_text_on_the_page(placed: Callable[..., Order], look: Callable[[Order], str]) -> None:
    order = placed(buyer=replace(BUYER, name="<script>alert(1)</script>"))

    assert "<script>alert(1)" not in look(order)


def test_the_fragment_is_the_part_that_changes(waiting: Order, shopper: Shopper) -> None:
    let_in(shopper, waiting)

    fragment = shopper.look_at(waiting, fragment=1).content.decode().strip()

    assert 'id="order-now"' in fragment.partition(">")[0]
    assert f'data-version="{waiting.version}"' in fragment
    assert "<html" not in fragment


# --- the list ------------------------------------------------------------------------------------------------------


def test_a_customer_finds_their_orders_and_nobody_elses(
    placed: Callable[..., Order], person: Callable[..., Shopper]
) -> None:
    ada = person("ada@example.com")
    ada_id = get_user_model().objects.get(email="ada@example.com").id
    mine, other = placed(buyer=replace(BUYER, customer_id=ada_id)), placed()

    page = ada.browser.get(reverse("orders:list")).content.decode()

    assert mine.number in page
    assert other.number not in page
    guest = Shopper().browser.get(reverse("orders:list"))
    assert (guest.status_code, "sign" in guest.url) == (302, True)
    assert Shopper().browser.get(reverse("orders:terms")).status_code == 200


# --- staff -----------------------------------------------------------------------------------------------------------


def allow(email: str, *permissions: str) -> UUID:
    """Give somebody permissions; returns who they are."""
    somebody = get_user_model().objects.get(email=email)
    somebody.user_permissions.add(*Permission.objects.filter(codename__in=permissions))
    return somebody.pk


@pytest.mark.needs_app(name="mcommerce.payment")
def test_staff_who_may_only_look_see_no_button_and_cancel_nothing(
    waiting: Order, person: Callable[..., Shopper]
) -> None:
    staff = person("desk@example.com", is_staff=True)
    allow("desk@example.com", "view_order")

    page = staff.look_at(waiting).content.decode()
    refused = staff.cancel(waiting)

    assert "You see this order as staff." in page
    assert reverse("orders:cancel", args=[waiting.id]) not in page
    assert reverse("payment:pay", args=[waiting.id]) not in page
    assert refused.status_code == 403
    assert fresh(waiting).state == Order.State.AWAITING_PAYMENT


def test_an_order_that_staff_cancel_on_its_page_was_cancelled_by_us(
    waiting: Order, person: Callable[..., Shopper], shopper: Shopper
) -> None:
    staff = person("desk@example.com", is_staff=True, name="Grace Hopper")
    staff_id = allow("desk@example.com", "view_order", "cancel_order")

    staff.cancel(waiting)

    step = fresh(waiting).steps.get(kind="cancelled")
    assert (fresh(waiting).cancel_reason, step.by) == ("staff", staff_id)
    let_in(shopper, waiting)
    page = shopper.look_at(waiting).content.decode()
    assert "We cancelled it." in page
    assert "You cancelled it." not in page
    assert "Grace Hopper" not in page


@pytest.mark.parametrize(
    ("is_staff", "permissions", "looks", "cancels"),
    [
        (False, (), 404, 404),
        (True, (), 404, 404),
        (False, ("view_order", "cancel_order"), 404, 404),
        (True, ("view_order",), 200, 403),
        (True, ("view_order", "cancel_order"), 200, 302),
    ],
    ids=["another account", "staff", "a customer with permissions", "staff who may look", "staff who may cancel"],
)
def test_whose_order_it_is_not_needs_to_be_staff_with_a_permission(
    waiting: Order,
    person: Callable[..., Shopper],
    is_staff: bool,
    permissions: tuple[str, ...],
    looks: int,
    cancels: int,
) -> None:
    somebody = person("eve@example.com", is_staff=is_staff)
    allow("eve@example.com", *permissions)

    assert (somebody.look_at(waiting).status_code, somebody.cancel(waiting).status_code) == (looks, cancels)
    assert (fresh(waiting).state == Order.State.CANCELLED) == (cancels == 302)


@pytest.mark.parametrize(
    ("whose", "reason"), [("another's", "staff"), ("by a link", "staff"), ("their own", "customer")]
)
def test_staff_act_as_staff_even_with_a_customers_link_and_as_customer_of_their_own_order(
    placed: Callable[..., Order], person: Callable[..., Shopper], whose: str, reason: str
) -> None:
    staff = person("desk@example.com", is_staff=True)
    staff_id = allow("desk@example.com", "view_order", "cancel_order")
    order = placed(buyer=replace(BUYER, customer_id=staff_id if whose == "their own" else None))
    if whose == "by a link":
        let_in(staff, order)

    staff.cancel(order)

    assert fresh(order).cancel_reason == reason
