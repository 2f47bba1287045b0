"""The header's count of the cart stays true on a page that stays open."""

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.cart_pages import fill_cart, have_cart
from tests.live_site import LiveSite

pytestmark = pytest.mark.viewports

EMPTY = "from mcommerce.orders.models import CartLine; CartLine.objects.all().delete()"
COME_BACK = """
Object.defineProperty(document, "hidden", {value: false, configurable: true});
document.dispatchEvent(new Event("visibilitychange"));
"""
GO_AWAY = 'Object.defineProperty(document, "hidden", {value: true, configurable: true})'


def count(page: Page) -> Locator:
    return page.locator(".cart-link .count [aria-hidden]")


@pytest.mark.parametrize("path", ["/stations/", "/"])
def test_what_another_tab_puts_into_the_cart_is_counted_here(page: Page, live_site: LiveSite, path: str) -> None:
    page.goto(path)
    page.locator(".cart-link").focus()
    expect(count(page)).to_have_count(0)

    fill_cart(page.context.new_page(), live_site)

    expect(count(page)).to_have_text("3")
    expect(page.locator(".cart-link")).to_have_accessible_name("Cart 3 things in the cart")
    expect(page.locator(".cart-link")).to_be_focused()


def test_who_comes_back_to_a_page_sees_what_the_cart_holds_now(page: Page, live_site: LiveSite) -> None:
    have_cart(page)
    page.goto("/stations/")
    expect(count(page)).to_have_text("3")
    page.evaluate(GO_AWAY)
    live_site.manage("shell", "--verbosity=0", "--command", EMPTY)

    page.evaluate(COME_BACK)

    expect(count(page)).to_have_count(0)
