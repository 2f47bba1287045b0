"""What people do here, from the first page to the last, on a real site in a real browser."""

import re
from collections import Counter
from collections.abc import Callable

import pytest
from django.urls import reverse
from playwright.sync_api import Locator, Page, expect

from tests.browser import scenes
from tests.browser.faults import Faults
from tests.eventbus.house import until
from tests.live_site import LiveSite

LAST_PIECES = 20  # how often two buyers race for one piece
MOVES_MS = 5_000  # how soon a visitor of the live map sees it move
RACE_AHEAD_MS = 250  # both browsers are told the moment before it comes
STOCK_LAST_PIECES = f"""
from django.utils import timezone
from mcommerce.products import services, stock
from mcommerce.products.models import Product
for number in range({LAST_PIECES}):
    product = Product(sku=f"LAST-{{number}}", slug=f"last-{{number}}", title={{"fr": f"Dernier {{number}}"}},
        description={{"fr": "Un seul"}}, price=1000, currency="EUR", tax_rate=2000, image="", published=True)
    services.save_product(product=product, now=timezone.now())
    stock.receive_stock(product_id=product.id, quantity=1, now=timezone.now())
"""


# --- the shop -------------------------------------------------------------------------------------------------------


def test_two_products_are_bought_and_the_order_page_follows_by_itself(page: Page, live_site: LiveSite) -> None:
    scenes.place_order(page, live_site)
    expect(page.locator(".lines .line")).to_have_count(2)
    watched = page.context.new_page()
    watched.goto(page.url)
    expect(watched.locator("#order-state")).to_have_attribute("data-state", "live")
    watched.evaluate("document.body.dataset.loadedOnce = 'yes'")

    page.locator("#pay").click()
    page.wait_for_url(live_site.provider_url + "/**")
    fill_card(page, scenes.GOOD_CARD)

    expect(watched.locator("#order-now .page-head .badge--good")).to_be_visible()
    expect(watched.locator("#pay")).to_have_count(0)
    assert watched.evaluate("document.body.dataset.loadedOnce") == "yes", "the page was loaded again"
    page.wait_for_url(live_site.url + "/orders/*/")
    expect(page.locator(".page-head .badge--good")).to_be_visible()


def test_a_declined_card_then_a_good_one_pays_the_same_order(page: Page, live_site: LiveSite) -> None:
    scenes.pay_with(scenes.DECLINED_CARD)(page, live_site)
    order = page.url
    expect(page.locator(".alert--bad")).to_be_visible()

    page.locator("#pay").click()
    page.wait_for_url(live_site.provider_url + "/**")
    fill_card(page, scenes.GOOD_CARD)
    page.wait_for_url(order)

    expect(page.locator(".page-head .badge--good")).to_be_visible()
    expect(page.locator(".alert--bad")).to_have_count(0)


def test_the_last_piece_is_sold_to_one_of_two_buyers_each_time(open_page, fresh_site: LiveSite) -> None:
    fresh_site.manage("shell", "--verbosity=0", "--command", STOCK_LAST_PIECES)
    buyers = [open_page(), open_page()]
    outcomes = []
    for number in range(LAST_PIECES):
        for buyer in buyers:
            stand_at_the_till(buyer, f"last-{number}")
        moment = buyers[0].evaluate("Date.now()") + RACE_AHEAD_MS
        for buyer in buyers:
            buyer.evaluate(
                "at => { setTimeout(() => document.querySelector('main form.form').requestSubmit(), at - Date.now()) }",
                moment,
            )
        outcomes.append(Counter(outcome(buyer) for buyer in buyers))

    assert outcomes == [Counter(reserved=1, refused=1)] * LAST_PIECES


def stand_at_the_till(buyer: Page, slug: str) -> None:
    """A filled checkout form for one piece, not yet sent."""

    def for_sale() -> bool:
        buyer.goto(reverse("products:detail", args=[slug]))
        return buyer.locator(".product form .button--primary").count() > 0

    until(for_sale, f"{slug} for sale")
    buyer.locator(".product form .button--primary").click()
    buyer.wait_for_url("**" + reverse("orders:cart"))
    buyer.goto(reverse("orders:checkout"))
    buyer.evaluate(
        """answers => {
            for (const [name, answer] of Object.entries(answers)) document.getElementById(`id_${name}`).value = answer;
            document.getElementById("id_terms").checked = true;
        }""",
        {"email": "a@b.example", "name": "A B", "street": "1 rue", "postal_code": "69002", "city": "Lyon"},
    )


def outcome(buyer: Page) -> str:
    """`reserved` when this buyer may pay, `refused` when the order was cancelled for want of stock."""
    buyer.wait_for_url("**/orders/*-*/")
    expect(buyer.locator("#pay").or_(buyer.locator("#order-now > .split .alert--warn")).first).to_be_visible()
    return "reserved" if buyer.locator("#pay").count() else "refused"


def fill_card(page: Page, card: str) -> None:
    page.locator("#number").fill(card)
    page.locator("#expiry").fill("12 / 40")
    page.locator("#cvc").fill("123")
    page.locator("button.primary").click()


# --- stations -------------------------------------------------------------------------------------------------------


def test_the_map_shows_a_snapshot_moves_survives_a_restart_and_ends_equal_to_the_server(
    open_page: Callable[..., Page], fresh_site: LiveSite, faults: Faults
) -> None:
    # While the server is away the browser itself notes each refused try to reach it again.
    faults.allow(r"WebSocket connection to .* failed")
    faults.allow(r"ERR_CONNECTION_REFUSED")
    page = open_page()
    dashboard = page.locator("#dashboard")
    until(lambda: page.request.get(reverse("stations:state")).json()["stations"], "a first poll")
    scenes.live("stations:dashboard", query=f"?contract={scenes.CONTRACT}")(page, fresh_site)
    expect(dashboard).to_have_attribute("data-stations", re.compile(r"^2[,.]?\d{3}$"))
    moved_from(dashboard)

    fresh_site.kill()
    expect(page.locator("#connection")).not_to_have_attribute("data-state", "live")
    fresh_site.start()
    expect(page.locator("#connection")).to_have_attribute("data-state", "live", timeout=40_000)
    moved_from(dashboard, timeout_ms=40_000)

    stop_polling(open_page())
    until(lambda: told(dashboard) == position(page), "the browser as far as the server")
    state = page.request.get(reverse("stations:state")).json()
    lyon = {
        f"{one['contract']}/{one['number']}": (one["bikes"], one["stands"])
        for one in state["stations"]
        if one["contract"] == scenes.CONTRACT
    }
    assert int(dashboard.get_attribute("data-stations")) == len(state["stations"])
    assert shown_rows(page) == lyon


def moved_from(dashboard: Locator, timeout_ms: int = MOVES_MS) -> None:
    """It shows a later state soon."""
    before = dashboard.get_attribute("data-seq") or ""
    expect(dashboard).not_to_have_attribute("data-seq", before, timeout=timeout_ms)


def stop_polling(page: Page) -> None:
    page.goto(reverse("stations:producer"))
    page.locator(".plan button[value=stop]").click()
    expect(page.locator(".plan__state")).to_have_text("Stopped")


def told(dashboard: Locator) -> tuple[str | None, str | None]:
    return dashboard.get_attribute("data-epoch"), dashboard.get_attribute("data-seq")


def position(page: Page) -> tuple[str, str]:
    state = page.request.get(reverse("stations:state")).json()
    return state["epoch"], str(state["seq"])


def shown_rows(page: Page) -> dict[str, tuple[int, int]]:
    """Bikes and free stands of every station in the table, by the end of its address."""
    rows = page.locator("#stations tbody tr").evaluate_all(
        """rows => rows.map(row => [
            row.querySelector("a").getAttribute("href").split("/").filter(Boolean).slice(-2).join("/"),
            ...[...row.querySelectorAll("td.num")].map(cell => parseInt(cell.textContent, 10)),
        ])"""
    )
    return {address: (bikes, stands) for address, bikes, stands in rows}


@pytest.mark.parametrize("where", ["stations:dashboard", "stations:producer"])
def test_a_remark_left_by_one_is_seen_by_another(open_page, live_site: LiveSite, where: str) -> None:
    one, another = open_page(), open_page()
    scenes.live(where)(another, live_site)
    remark = f"The hill at {where} is steep today"

    one.goto(reverse("stations:producer"))
    one.locator("#id_name").fill("Sisyphus")
    one.locator("#id_message").fill(remark)
    one.locator("form[action$='/remark/'] button").click()

    expect(another.locator("#remarks").get_by_text(remark)).to_be_visible()
