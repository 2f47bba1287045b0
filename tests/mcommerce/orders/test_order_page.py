"""An order's page: who may see it, what it says in each state, and what it lets one do."""

from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.urls import reverse

from eventbus import clock
from eventbus.ids import uuid7
from mcommerce.orders import access
from mcommerce.orders.models import Order, Refund
from mcommerce.orders.services import lifecycle, refunds
from tests.mcommerce.orders.conftest import BUYER, LATER, NOW, STAFF, Shopper, fresh, let_in, pay, put_up

# --- who -----------------------------------------------------------------------------------------------------------


def test_who_placed_it_sees_it_and_another_browser_does_not(shopper: Shopper) -> None:
    shopper.add(put_up())
    shopper.check_out()
    order = Order.objects.get()

    assert shopper.look_at(order).status_code == 200
    assert Shopper().look_at(order).status_code == 404
    assert Shopper().look_at(order, fragment=1).status_code == 404


def test_an_order_that_is_not_yours_looks_like_one_that_never_was(waiting: Order) -> None:
    stranger = Shopper()

    not_yours = stranger.look_at(waiting)
    never_was = stranger.browser.get(reverse("orders:order", args=[uuid4()]))

    assert (not_yours.status_code, never_was.status_code) == (404, 404)


def test_its_account_and_staff_who_may_see_it_and_another_account_does_not(
    placed: Callable[..., Order], person: Callable[..., Shopper]
) -> None:
    ada, bob = person("ada@example.com"), person("bob@example.com")
    staff = person("desk@example.com", is_staff=True)
    get_user_model().objects.get(email="desk@example.com").user_permissions.add(
        Permission.objects.get(codename="view_order")
    )
    ada_id = get_user_model().objects.get(email="ada@example.com").id
    order = placed(buyer=replace(BUYER, customer_id=ada_id))

    assert [one.look_at(order).status_code for one in (ada, staff, bob)] == [200, 200, 404]


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

    assert Shopper().open_link(mine, "a\0b").status_code == 400


def test_the_orders_page_itself_takes_no_key(waiting: Order) -> None:
    assert Shopper().look_at(waiting, key=access.link_key(waiting.id)).status_code == 404


def test_only_who_may_see_an_order_may_cancel_it(waiting: Order, shopper: Shopper) -> None:
    assert shopper.cancel(waiting).status_code == 404
    assert fresh(waiting).state == Order.State.AWAITING_PAYMENT

    let_in(shopper, waiting)
    shopper.cancel(waiting)
    assert fresh(waiting).state == Order.State.CANCELLED


def test_looking_changes_nothing_so_a_link_cannot_cancel(waiting: Order, shopper: Shopper) -> None:
    let_in(shopper, waiting)

    assert shopper.browser.get(reverse("orders:cancel", args=[waiting.id])).status_code == 405
    assert fresh(waiting).state == Order.State.AWAITING_PAYMENT


# --- what ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def look(shopper: Shopper) -> Callable[[Order], str]:
    """What the page says to who placed the order."""

    def see(order: Order) -> str:
        let_in(shopper, order)
        return shopper.look_at(order).content.decode()

    return see


@pytest.mark.needs_app(name="mcommerce.payment")
def test_an_order_just_placed_cannot_be_paid_yet(placed: Callable[..., Order], look: Callable[[Order], str]) -> None:
    order = placed()

    page = look(order)

    assert "setting everything aside" in page
    assert reverse("payment:pay", args=[order.id]) not in page
    assert reverse("orders:cancel", args=[order.id]) in page
    assert '<noscript><meta http-equiv="refresh"' in page


@pytest.mark.needs_app(name="mcommerce.payment")
def test_an_order_that_waits_shows_its_sum_vat_and_time_and_can_be_paid(
    waiting: Order, look: Callable[[Order], str]
) -> None:
    page = look(waiting)

    assert reverse("payment:pay", args=[waiting.id]) in page
    assert "Pay €19.00" in page
    assert "of which VAT 20%: €3.17" in page
    assert 'data-seconds="1800"' in page


@pytest.mark.needs_app(name="mcommerce.payment")
def test_a_decline_is_said_and_another_try_offered(waiting: Order, look: Callable[[Order], str]) -> None:
    lifecycle.note_decline(order_id=waiting.id, payment_id=uuid7(), code="card_declined", retryable=True, now=NOW)

    page = look(waiting)

    assert "Your bank declined the card." in page
    assert "Try again" in page


@pytest.mark.needs_app(name="mcommerce.payment")
def test_a_code_longer_than_its_column_is_cut_and_the_decline_is_said(
    waiting: Order, look: Callable[[Order], str]
) -> None:
    lifecycle.note_decline(order_id=waiting.id, payment_id=uuid7(), code="x" * 201, retryable=True, now=NOW)

    assert waiting.steps.get(kind="declined").detail == "x" * 200
    assert "Try again" in look(waiting)


@pytest.mark.needs_app(name="mcommerce.payment")
def test_after_the_last_try_no_other_one_is_offered(waiting: Order, look: Callable[[Order], str]) -> None:
    lifecycle.note_decline(order_id=waiting.id, payment_id=uuid7(), code="invalid_request", retryable=False, now=NOW)

    page = look(waiting)

    assert "It cannot be tried again." in page
    assert "perhaps with another card" not in page
    assert reverse("payment:pay", args=[waiting.id]) not in page


@pytest.mark.needs_app(name="mcommerce.payment")
def test_after_the_deadline_there_is_nothing_to_pay(waiting: Order, look: Callable[[Order], str]) -> None:
    clock.advance(minutes=31)

    assert reverse("payment:pay", args=[waiting.id]) not in look(waiting)


@pytest.mark.needs_app(name="mcommerce.payment")
def test_money_that_did_not_fit_is_not_asked_for_again(waiting: Order, look: Callable[[Order], str]) -> None:
    pay(waiting, amount=1)

    page = look(waiting)

    assert reverse("payment:pay", args=[waiting.id]) not in page
    assert "Your money is on its way back to you: €0.01." in page


def test_a_paid_order_says_thank_you_and_cannot_be_cancelled(paid: Order, look: Callable[[Order], str]) -> None:
    page = look(paid)

    assert "Paid, thank you!" in page
    assert reverse("orders:cancel", args=[paid.id]) not in page
    assert "http-equiv" not in page


def test_a_cancelled_order_says_why_and_where_the_money_is(paid: Order, look: Callable[[Order], str]) -> None:
    lifecycle.lose_stock(order_id=paid.id, now=LATER)
    assert "Your money is on its way back to you: €19.00." in look(paid)
    assert "in our stock any more" in look(paid)

    refunds.settle(refund_id=Refund.objects.get().id, now=LATER)
    assert "Your money was sent back to you: €19.00." in look(paid)


def test_the_page_says_when_nobody_need_ask_again(paid: Order, look: Callable[[Order], str]) -> None:
    assert "data-final" not in look(paid)
    lifecycle.cancel_by_staff(order_id=paid.id, by=STAFF, now=LATER)
    assert "data-final" not in look(paid), "its money is on its way back"

    refunds.settle(refund_id=Refund.objects.get().id, now=LATER)

    assert "data-final" in look(paid)


def test_a_tracking_number_is_shown(paid: Order, look: Callable[[Order], str]) -> None:
    lifecycle.ship(order_id=paid.id, carrier="La Poste", tracking="6A-1", by=STAFF, now=LATER)

    assert "6A-1" in look(paid)


def test_what_people_typed_is_text_on_the_page(placed: Callable[..., Order], look: Callable[[Order], str]) -> None:
    order = placed(buyer=replace(BUYER, name="<script>alert(1)</script>"))

    assert "<script>alert(1)" not in look(order)


def test_the_fragment_is_the_part_that_changes(waiting: Order, shopper: Shopper) -> None:
    let_in(shopper, waiting)

    fragment = shopper.look_at(waiting, fragment=1).content.decode().strip()

    assert 'id="order-now"' in fragment.partition(">")[0]
    assert f'data-version="{waiting.version}"' in fragment
    assert "<html" not in fragment


def test_the_page_is_not_kept_by_any_cache(waiting: Order, shopper: Shopper) -> None:
    let_in(shopper, waiting)

    assert "no-store" in shopper.look_at(waiting)["Cache-Control"]


def test_too_late_to_cancel_is_said(paid: Order, shopper: Shopper) -> None:
    let_in(shopper, paid)

    shopper.cancel(paid)

    assert "too late to cancel" in shopper.look_at(paid).content.decode()


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


def test_a_guest_is_asked_who_they_are(shopper: Shopper) -> None:
    answer = shopper.browser.get(reverse("orders:list"))

    assert answer.status_code == 302
    assert "sign" in answer.url


def test_the_terms_can_be_read(shopper: Shopper) -> None:
    assert shopper.browser.get(reverse("orders:terms")).status_code == 200
