"""Two presses at the same moment, in two real browser windows, all the way to the payment provider's charges."""

from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.urls import reverse
from playwright.sync_api import Page, expect

from tests.browser import page_states
from tests.browser.page_faults import Faults
from tests.live_site import LiveSite
from tests.waiting import until

pytestmark = pytest.mark.sites

LAST_PIECES = 20  # how often two buyers race for one piece
TWO_TABS = 5  # how often somebody pays one order in two tabs
RACE_AHEAD_MS = 250  # both windows are told the moment before it comes
ADDRESS = {"email": "a@b.example", "name": "A B", "street": "1 rue", "postal_code": "69002", "city": "Lyon"}
GOOD_CARD = {"number": page_states.GOOD_CARD, "expiry": "12 / 40", "cvc": "123"}
ORDER_FORM, PAY_FORM, CARD_FORM = "main form.form", "form:has(#pay)", "main form"
STOCK = """
from django.utils import timezone
from mcommerce.products.services import catalogue, stock
from mcommerce.products.models import Product
for number in range({kinds}):
    product = Product(sku=f"RACE-{{number}}", slug=f"race-{{number}}", title={{"fr": f"Pièce {{number}}"}},
        description={{"fr": "Pour une course"}}, price=1000, currency="EUR", tax_rate=2000, image="", published=True)
    catalogue.save_product(product=product, now=timezone.now())
    stock.receive_stock(product_id=product.id, quantity={pieces}, now=timezone.now())
"""


def test_the_last_piece_is_sold_to_one_of_two_buyers_each_time(
    open_page: Callable[..., Page], fresh_site: LiveSite, faults: Faults
) -> None:
    faults.allow("status of 409")  # the till asks again
    products = stocked(fresh_site, kinds=LAST_PIECES, pieces=1)
    buyers = [open_page(), open_page()]
    outcomes, paid = [], []
    for product_id in products:
        for buyer in buyers:
            stand_at_the_till(buyer, product_id)
        press_together(buyers, ORDER_FORM)
        ends = [outcome(buyer) for buyer in buyers]
        outcomes.append(Counter(ends))
        paid += [order_id(buyer) for buyer, end in zip(buyers, ends, strict=True) if end == "paid"]
        for buyer in buyers:
            want_nothing(buyer, product_id)

    assert outcomes == [Counter(paid=1, refused=1)] * LAST_PIECES
    assert sorted(charge["reference"] for charge in charges(fresh_site, buyers[0])) == sorted(paid)
    until(lambda: stock_of(fresh_site) == [(0, 0, 1)] * LAST_PIECES, "every piece sold, none left, none held")
    for buyer in buyers:
        buyer.goto(reverse("products:detail", args=["race-0"]))
        expect(buyer.locator(".product .badge")).not_to_have_class("badge badge--good")
        expect(buyer.locator(".product form")).to_have_count(0)


def test_an_order_paid_in_two_tabs_at_once_is_charged_once(
    open_page: Callable[..., Page], fresh_site: LiveSite
) -> None:
    [product_id] = stocked(fresh_site, kinds=1, pieces=TWO_TABS)
    first = open_page()
    second = first.context.new_page()
    orders = []
    for _round in range(TWO_TABS):
        stand_at_the_till(first, product_id)
        first.evaluate("form => document.querySelector(form).requestSubmit()", ORDER_FORM)
        assert decided(first) == "reserved"
        second.goto(first.url)
        orders.append(order_id(first))
        press_together([first, second], PAY_FORM)
        for tab in (first, second):
            tab.wait_for_url(fresh_site.provider_url + "/**")
            fill(tab, GOOD_CARD)
        press_together([first, second], CARD_FORM)
        for tab in (first, second):
            see_paid(tab)

    assert sorted(charge["reference"] for charge in charges(fresh_site, first)) == sorted(orders)
    until(lambda: stock_of(fresh_site) == [(0, 0, TWO_TABS)], "each order's piece sold once")


# --- before the race ------------------------------------------------------------------------------------------------


def stocked(site: LiveSite, *, kinds: int, pieces: int) -> list[str]:
    """The ids of so many new products with so many pieces each, once orders knows what they cost."""
    site.manage("shell", "--verbosity=0", "--command", STOCK.format(kinds=kinds, pieces=pieces))
    offers = "SELECT product_id FROM orders_offer WHERE slug LIKE 'race-%' AND for_sale AND available = ?"
    until(lambda: len(site.rows(offers, pieces)) == kinds, "the products for sale")
    return [product_id for (product_id,) in site.rows(offers, pieces)]


def stand_at_the_till(buyer: Page, product_id: str) -> None:
    """A filled checkout form for one piece, not yet sent."""
    assert buyer.request.get(reverse("orders:cart")).ok  # gets the cookie, and draws nothing
    assert buyer.request.post(reverse("orders:add"), form=sent_by(buyer, product_id, quantity=1)).ok
    buyer.goto(reverse("orders:checkout"))
    fill(buyer, {f"id_{field}": answer for field, answer in ADDRESS.items()})
    buyer.locator("#id_terms").check()


def want_nothing(buyer: Page, product_id: str) -> None:
    """Take out what came back to the cart of who was refused."""
    assert buyer.request.post(reverse("orders:change"), form=sent_by(buyer, product_id, quantity=0)).ok


def sent_by(buyer: Page, product_id: str, *, quantity: int) -> dict[str, str]:
    [token] = [cookie["value"] for cookie in buyer.context.cookies() if cookie["name"] == settings.CSRF_COOKIE_NAME]
    return {"csrfmiddlewaretoken": token, "product_id": product_id, "quantity": str(quantity)}


def fill(page: Page, answers: dict[str, str]) -> None:
    """Fill fields by their id, without the time that typing takes."""
    page.evaluate(
        "answers => { for (const [id, answer] of Object.entries(answers)) document.getElementById(id).value = answer }",
        answers,
    )


def press_together(pages: list[Page], form: str) -> None:
    """Each page sends its form at the same moment, which is told to all of them beforehand."""
    moment = pages[0].evaluate("Date.now()") + RACE_AHEAD_MS
    for page in pages:
        page.evaluate(
            "([form, at]) => { setTimeout(() => document.querySelector(form).requestSubmit(), at - Date.now()) }",
            [form, moment],
        )


# --- and after it ---------------------------------------------------------------------------------------------------


def outcome(buyer: Page) -> str:
    """`paid` by the buyer who could, `refused` when the order was cancelled for want of stock."""
    if decided(buyer) == "refused":
        return "refused"
    buyer.locator("#pay").click()
    buyer.wait_for_url("**/pay/*")
    fill(buyer, GOOD_CARD)
    buyer.locator("button.primary").click()
    see_paid(buyer)
    return "paid"


def decided(buyer: Page) -> str:
    """Whether what was ordered is `reserved`, and may be paid, or `refused`.

    Refused on the order's page, or still at the till when the other's order was heard of before this one was sent.
    """
    refused = buyer.locator("#order-now > .split .alert--warn").or_(buyer.locator("#changes"))
    expect(buyer.locator("#pay").or_(refused).first).to_be_visible()
    return "reserved" if buyer.locator("#pay").count() else "refused"


def see_paid(buyer: Page) -> None:
    buyer.wait_for_url("**/orders/*-*/")
    expect(buyer.locator("#order-now .page-head .badge--good")).to_be_visible()


def order_id(buyer: Page) -> str:
    return urlsplit(buyer.url).path.strip("/").split("/")[-1]


def charges(site: LiveSite, page: Page) -> list[dict[str, Any]]:
    """What the payment provider itself says that it charged."""
    key = (site.directory / "var" / "sandbox_key").read_text()
    answer = page.request.get(f"{site.provider_url}/v1/charges", headers={"Authorization": f"Bearer {key}"})
    told = answer.json()
    assert not told["more"], "a page of the company's list is not all of it"
    listed: list[dict[str, Any]] = told["charges"]
    return listed


def stock_of(site: LiveSite) -> list[tuple[int, int, int]]:
    """For each product of the race: on the shelf, held, sold."""
    return site.rows(
        "SELECT on_hand, held, sold FROM products_stock JOIN products_product ON products_product.id = product_id"
        " WHERE sku LIKE 'RACE-%'"
    )
