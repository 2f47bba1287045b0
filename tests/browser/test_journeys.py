"""What people do here, from the first page to the last, on a real site in a real browser."""

import re
from collections.abc import Callable

import pytest
from django.urls import reverse
from playwright.sync_api import Locator, Page, expect

from tests.browser import actors, checkout_pages, page_states
from tests.browser.cart_pages import fill_cart
from tests.browser.page_faults import Faults
from tests.live_site import LiveSite
from tests.waiting import until

MOVES_MS = 19_000  # less than the silence after which a page asks anew: that would move it as well

ACCOUNT = {"en-GB": "Your account", "fr-FR": "Votre compte"}
STOPPED = {"en-GB": "Stopped", "fr-FR": "Arrêté"}


@pytest.fixture(params=["en-GB", "fr-FR"])
def browser_language(request: pytest.FixtureRequest) -> str:
    """Each journey is made by somebody who reads English, and by somebody who reads French."""
    return request.param


# --- the shop -------------------------------------------------------------------------------------------------------


def test_two_products_are_bought_and_the_order_page_follows_by_itself(page: Page, live_site: LiveSite) -> None:
    fill_cart(page, live_site)
    page.goto(reverse("orders:checkout"))
    checkout_pages.send_checkout(page)
    expect(page.locator(".lines .line")).to_have_count(2)
    watched = page.context.new_page()
    watched.goto(page.url)
    expect(watched.locator("#order-state")).to_have_attribute("data-state", "live")
    watched.evaluate("document.body.dataset.loadedOnce = 'yes'")

    page.locator("#pay").click()
    page.wait_for_url(live_site.provider_url + "/**")
    fill_card(page, page_states.GOOD_CARD)

    expect(watched.locator("#order-now .page-head .badge--good")).to_be_visible()
    expect(watched.locator("#pay")).to_have_count(0)
    assert watched.evaluate("document.body.dataset.loadedOnce") == "yes", "the page was loaded again"
    page.wait_for_url(live_site.url + "/orders/*/")
    expect(page.locator(".page-head .badge--good")).to_be_visible()


def test_a_declined_card_then_a_good_one_pays_the_same_order(page: Page, live_site: LiveSite) -> None:
    page_states.pay_with(page_states.DECLINED_CARD)(page, live_site)
    order = page.url
    expect(page.locator(".alert--bad")).to_be_visible()

    page.locator("#pay").click()
    page.wait_for_url(live_site.provider_url + "/**")
    fill_card(page, page_states.GOOD_CARD)
    page.wait_for_url(order)

    expect(page.locator(".page-head .badge--good")).to_be_visible()
    expect(page.locator(".alert--bad")).to_have_count(0)


@pytest.mark.viewports
def test_the_mails_link_opens_the_order_and_is_forgotten_by_the_browser(
    page: Page, open_page: Callable[..., Page], live_site: LiveSite
) -> None:
    page_states.pay_with(page_states.GOOD_CARD)(page, live_site)
    link = re.compile(rf"{re.escape(page.url)}open/\?key=\S+")  # at home the log is the letterbox
    until(lambda: link.search(live_site.log_path.read_text()), "the mail")
    address = link.findall(live_site.log_path.read_text())[0]

    elsewhere = open_page()
    asked: list[dict[str, str]] = []
    elsewhere.on("request", lambda request: asked.append({"url": request.url} | request.headers))
    elsewhere.goto(reverse("products:list"))
    elsewhere.evaluate("address => { location.href = address }", address)
    elsewhere.wait_for_url(page.url)

    expect(elsewhere.locator(".page-head .badge--good")).to_be_visible()
    elsewhere.reload()
    expect(elsewhere.locator(".page-head .badge--good")).to_be_visible()
    assert "key=" not in elsewhere.evaluate("document.referrer + JSON.stringify(performance.getEntries())")
    assert [one for one in asked if "key=" in one.get("referer", "")] == []
    assert sum("key=" in one["url"] for one in asked) == 1
    assert elsewhere.evaluate("history.length") == 3  # the blank page, the shop, the order
    elsewhere.go_back()
    assert elsewhere.url == live_site.url + reverse("products:list")
    elsewhere.go_forward()
    assert elsewhere.url == page.url


def fill_card(page: Page, card: str) -> None:
    page.locator("#number").fill(card)
    page.locator("#expiry").fill("12 / 40")
    page.locator("#cvc").fill("123")
    page.locator("button.primary").click()


# --- accounts -------------------------------------------------------------------------------------------------------


def test_who_opens_an_account_at_the_cart_is_back_at_the_cart_with_what_was_in_it(
    page: Page, live_site: LiveSite
) -> None:
    fill_cart(page, live_site)
    email = actors.new_email()
    page.goto(f"{reverse('account_login')}?next={reverse('orders:cart')}")
    page.locator("main a[href*=register]").click()

    actors.fill_in_registration(page, email)
    page.locator("#id_code").fill(live_site.mailed(email, "^[A-Z]{4}-[A-Z]{4}$"))
    actors.press(page)

    page.wait_for_url("**" + reverse("orders:cart"))
    expect(page.locator(".lines .line")).to_have_count(2)
    expect(page.locator(f".site-tools a[href='{reverse('accounts:account')}']")).to_be_visible()


def test_a_forgotten_password_is_chosen_anew(page: Page, live_site: LiveSite, browser_language: str) -> None:
    actors.follow_link(page, live_site)
    for field in ("#id_password1", "#id_password2"):
        page.locator(field).fill("never-guess-a-gerbil")
    actors.press(page)

    page.goto(reverse("accounts:account"))
    expect(page.locator("h1")).to_have_text(ACCOUNT[browser_language])


# --- stations -------------------------------------------------------------------------------------------------------


@pytest.mark.viewports
def test_the_map_shows_a_snapshot_moves_survives_a_restart_and_ends_equal_to_the_server(
    open_page: Callable[..., Page], fresh_site: LiveSite, faults: Faults, browser_language: str
) -> None:
    # While the server is away the browser itself notes each refused try to reach it again.
    faults.allow(r"WebSocket connection to .* failed")
    faults.allow(r"ERR_CONNECTION_REFUSED")
    page = open_page()
    dashboard = page.locator("#dashboard")
    until(lambda: page.request.get(reverse("stations:state")).json()["stations"], "a first poll")
    page_states.live("stations:dashboard", query=f"?contract={page_states.CONTRACT}")(page, fresh_site)
    expect(dashboard).to_have_attribute("data-stations", re.compile(r"^2[,.]?\d{3}$"))
    moved_from(dashboard)

    fresh_site.kill()
    expect(page.locator("#connection")).not_to_have_attribute("data-state", "live")
    fresh_site.start()
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    moved_from(dashboard, timeout_ms=40_000)

    stop_polling(open_page(), STOPPED[browser_language])
    until(lambda: told(dashboard) == position(page), "the browser as far as the server")
    state = page.request.get(reverse("stations:state")).json()
    lyon = {
        one["id"]: (one["bikes"], one["stands"]) for one in state["stations"] if one["contract"] == page_states.CONTRACT
    }
    assert int(dashboard.get_attribute("data-stations")) == len(state["stations"])
    assert shown_rows(page) == lyon


def moved_from(dashboard: Locator, timeout_ms: int = MOVES_MS) -> None:
    """It shows a later state."""
    before = dashboard.get_attribute("data-seq") or ""
    expect(dashboard).not_to_have_attribute("data-seq", before, timeout=timeout_ms)


def stop_polling(page: Page, said: str = STOPPED["en-GB"]) -> None:
    page.goto(reverse("stations:producer"))
    page.locator(".plan button[value=stop]").click()
    expect(page.locator(".plan__state")).to_have_text(said)


def told(dashboard: Locator) -> tuple[str | None, str | None]:
    return dashboard.get_attribute("data-epoch"), dashboard.get_attribute("data-seq")


def position(page: Page) -> tuple[str, str]:
    """How far the server is with the city that the dashboard shows."""
    state = page.request.get(reverse("stations:state")).json()
    return state["epoch"], str(state["seqs"][page_states.CONTRACT])


def shown_rows(page: Page) -> dict[str, tuple[int, int]]:
    """Bikes and free stands of every station in all pages of the table, by the end of its address."""
    rows = page.evaluate(
        """() => {
            const turn = way => document.querySelector(`#stations-pages [data-turn=${way}]:not([aria-disabled=true])`);
            while (turn("back")) turn("back").click();
            const rows = [];
            for (;;) {
                for (const row of document.querySelectorAll("#stations tbody tr")) {
                    const address = row.querySelector("a").getAttribute("href").split("/").filter(Boolean);
                    const cells = [...row.querySelectorAll("td.num")].map(cell => parseInt(cell.textContent));
                    rows.push([address.slice(-2).join("/"), cells[0], cells.at(-1)]);
                }
                if (!turn("on")) return rows;
                turn("on").click();
            }
        }"""
    )
    return {address: (bikes, stands) for address, bikes, stands in rows}


def test_a_remark_left_by_one_is_seen_by_others(
    open_page: Callable[..., Page], live_site: LiveSite, browser_language: str
) -> None:
    one, others = open_page(), {where: open_page() for where in ("stations:dashboard", "stations:producer")}
    for where, other in others.items():
        page_states.live(where, query="#tab=remarks")(other, live_site)
    remark = f"The hill is steep today ({browser_language})"

    one.goto(reverse("stations:producer"))
    one.locator("#id_name").fill("Sisyphus")
    one.locator("#id_message").fill(remark)
    one.locator("form[action$='/remark/'] button").click()

    for other in others.values():
        expect(other.locator("#remarks").get_by_text(remark)).to_be_visible()
