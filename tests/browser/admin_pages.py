"""What the desk shows of orders, money and things for sale, and an order as it goes over it."""

from django.urls import reverse
from playwright.sync_api import Page, expect

from tests.browser.page_states import GOOD_CARD, Reach, Scene, at_desk, cancel_order, enter_desk, pay_with, place_order
from tests.live_site import LiveSite

PAID = pay_with(GOOD_CARD)


def see_order(page: Page, site: LiveSite) -> None:
    """A paid order, at the desk."""
    PAID(page, site)
    enter_desk(page, site)
    page.goto(reverse("admin:orders_order_changelist"))
    page.locator(".field-number a").first.click()
    page.wait_for_url("**/change/**")


def press(page: Page, name: str) -> None:
    """A button of the order's page: leads to the page that says what will happen."""
    page.locator(f".decisions__{name}").click()
    page.wait_for_url(f"**/decide/{name}/")


def confirm(page: Page) -> None:
    page.locator(".decide [type=submit]").click()
    page.wait_for_url("**/change/**")


def ask_for_dispatch(page: Page, site: LiveSite) -> None:
    see_order(page, site)
    press(page, "ship")


def ask_for_refund(page: Page, site: LiveSite) -> None:
    ask_for_dispatch(page, site)
    page.locator("#id_carrier").fill("La Poste")
    page.locator("#id_tracking").fill("6A12345678901")
    confirm(page)
    press(page, "refund")


def refund(page: Page, site: LiveSite) -> None:
    ask_for_refund(page, site)
    page.locator("#id_pieces_are_back").check()
    confirm(page)


def see_as_staff(page: Page, site: LiveSite) -> None:
    """An order's own page, as somebody who may see all orders."""
    place_order(page, site)
    order = page.url
    enter_desk(page, site)
    page.goto(order)
    expect(page.locator("#pay")).to_have_count(0)


def cancel_as_staff(page: Page, site: LiveSite) -> None:
    """Ends at the desk, where the history says who."""
    see_as_staff(page, site)
    order_id = page.url.rstrip("/").rpartition("/")[2]
    page.locator("#cancel").click()
    expect(page.locator("#cancel")).to_have_count(0)
    page.goto(reverse("admin:orders_order_change", args=[order_id]))


def listed(name: str, table: str, after: Reach | None = None) -> Scene:
    url_name = f"admin:{table}_changelist"
    return Scene(name, url_name, at_desk(url_name, after=after))


DESK_SCENES = [
    Scene("desk-order", "admin:orders_order_change", see_order),
    Scene("desk-order-ship", "admin:orders_order_decide", ask_for_dispatch),
    Scene("desk-order-refund", "admin:orders_order_decide", ask_for_refund),
    Scene("desk-order-refunded", "admin:orders_order_change", refund),
    Scene("desk-order-as-staff", "orders:order", see_as_staff),
    Scene("desk-order-cancelled", "admin:orders_order_change", cancel_as_staff),
    listed("desk-list-orders", "orders_order", cancel_order),
    listed("desk-list-payments", "payment_payment", PAID),
    listed("desk-list-ledger", "payment_ledgerentry", PAID),
    listed("desk-list-products", "products_product"),
    listed("desk-list-movements", "products_stockmovement"),
    listed("desk-list-reservations", "products_reservation", cancel_order),
    listed("desk-list-stations", "stations_station"),
]
