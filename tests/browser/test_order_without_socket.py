"""Where no socket comes through, an order's page asks again by itself, and goes back to the socket when one does."""

import re
from collections.abc import Callable

import pytest
from django.urls import reverse
from playwright.sync_api import Page, Request, WebSocketRoute, expect

from tests.browser import checkout_pages, page_states
from tests.live_site import LiveSite

SOCKETS = re.compile("/ws/orders/")
HALF_AN_HOUR_MS = 30 * 60_000  # the time to pay
TWO_MINUTES_MS = 120_000  # four times the longest pause between two questions
SHORT_OF_SILENCE_MS = 12_000  # several of the first questions; a socket that is well may be quiet for so long

LET_THE_TIME_PASS = """
from django.utils import timezone
from mcommerce.orders.models import Order
Order.objects.filter(id="{order_id}").update(expires_at=timezone.now())
"""


def shut(socket: WebSocketRoute) -> None:
    """A proxy that closes what it does not know."""
    socket.close()


def silent(socket: WebSocketRoute) -> None:
    """A proxy that lets the socket open, and nothing through."""


def good(socket: WebSocketRoute) -> None:
    """Nothing in between."""
    socket.connect_to_server()


def order(page: Page, live_site: LiveSite) -> None:
    """Order from the checkout; returns when the order's page is there, whatever it shows yet."""
    page.clock.install()
    checkout_pages.see_checkout(page, live_site)
    checkout_pages.fill_in_checkout(page)
    page.locator("main form .button--primary").click()
    page.wait_for_url("**/orders/*-*/")


def questions(page: Page) -> list[str]:
    """The page's own questions, as they are asked from now on."""
    asked: list[str] = []

    def note(request: Request) -> None:
        if "fragment" in request.url:
            asked.append(request.url)

    page.on("request", note)
    return asked


@pytest.mark.parametrize("proxy", [shut, pytest.param(silent, marks=pytest.mark.viewports)])
def test_without_a_socket_from_the_start_the_pay_button_comes_and_the_order_is_paid(
    page: Page, live_site: LiveSite, proxy: Callable[[WebSocketRoute], None]
) -> None:
    page.context.route_web_socket(SOCKETS, proxy)
    order(page, live_site)

    expect(page.locator("#pay")).to_be_visible()
    expect(page.locator("#order-state")).to_have_attribute("data-state", "asking")
    watched = page.context.new_page()
    watched.goto(page.url)
    watched.evaluate("document.body.dataset.loadedOnce = 'yes'")
    page.locator("#pay").click()
    page.wait_for_url(live_site.provider_url + "/**")
    page_states.type_card(page, page_states.GOOD_CARD)

    expect(watched.locator("#order-now .page-head .badge--good")).to_be_visible()
    assert watched.evaluate("document.body.dataset.loadedOnce") == "yes", "the page was loaded again"


@pytest.mark.viewports
def test_the_page_goes_back_to_the_socket_and_asks_no_more(page: Page, live_site: LiveSite) -> None:
    opened: list[WebSocketRoute] = []

    def at_first_shut(socket: WebSocketRoute) -> None:
        opened.append(socket)
        if len(opened) <= 2:
            socket.close()
        else:
            socket.connect_to_server()

    page.context.route_web_socket(SOCKETS, at_first_shut)
    order(page, live_site)

    expect(page.locator("#pay")).to_be_visible()
    expect(page.locator("#order-state")).to_have_attribute("data-state", "live")
    assert pass_time(page, SHORT_OF_SILENCE_MS) == []


@pytest.mark.viewports
def test_nobody_is_asked_about_an_order_that_is_over_or_out_of_sight(page: Page, live_site: LiveSite) -> None:
    page.context.route_web_socket(SOCKETS, shut)
    order(page, live_site)
    expect(page.locator("#pay")).to_be_visible()
    assert pass_two_minutes(page), "somebody looks"

    look_away(page, hidden=True)
    assert pass_two_minutes(page) == []
    look_away(page, hidden=False)
    expect(page.locator("#order-state")).to_have_attribute("data-state", "asking")

    page.locator("#cancel").click()
    expect(page.locator("#order-now")).to_have_attribute("data-final", "")
    assert pass_two_minutes(page) == []
    expect(page.locator("#order-state")).to_be_hidden()


@pytest.mark.viewports
def test_a_line_that_breaks_without_a_word_is_noticed(page: Page, live_site: LiveSite) -> None:
    order(page, live_site)
    expect(page.locator("#pay")).to_be_visible()
    opened: list[WebSocketRoute] = []

    def first_word_only(socket: WebSocketRoute) -> None:
        opened.append(socket)
        if len(opened) > 1:
            socket.close()
            return
        words: list[str | bytes] = []

        def pass_on(word: str | bytes) -> None:
            words.append(word)
            if len(words) == 1:
                socket.send(word)

        socket.connect_to_server().on_message(pass_on)

    page.context.route_web_socket(SOCKETS, first_word_only)
    watched = page.context.new_page()
    watched.goto(page.url)
    expect(watched.locator("#order-state")).to_have_attribute("data-state", "live")

    page.locator("#cancel").click()
    expect(page.locator("#order-now")).to_have_attribute("data-final", "")
    watched.clock.fast_forward(TWO_MINUTES_MS)

    expect(watched.locator("#order-now")).to_have_attribute("data-final", "")


@pytest.mark.parametrize("proxy", [good, pytest.param(shut, marks=pytest.mark.viewports)])
def test_pay_goes_with_the_last_second_although_the_order_is_not_closed_yet(
    page: Page, live_site: LiveSite, proxy: Callable[[WebSocketRoute], None]
) -> None:
    page.context.route_web_socket(SOCKETS, proxy)
    order(page, live_site)
    expect(page.locator("#pay")).to_be_visible()
    page.locator("#pay").focus()

    page.clock.fast_forward(HALF_AN_HOUR_MS)

    expect(page.locator("#countdown")).to_have_text("The time is up")
    expect(page.locator("#pay")).to_have_count(0)
    expect(page.locator("#order-now h1")).to_be_focused()
    expect(page.locator("#order-said")).to_have_text("The time is up")


@pytest.mark.viewports
def test_without_a_socket_pay_goes_once_the_server_offers_it_no_more(page: Page, live_site: LiveSite) -> None:
    """As in a browser that slept: its countdown is behind, and nobody has closed the order yet."""
    page.context.route_web_socket(SOCKETS, shut)
    order(page, live_site)
    expect(page.locator("#pay")).to_be_visible()

    live_site.manage("shell", "--verbosity=0", "--command", LET_THE_TIME_PASS.format(order_id=order_id_of(page)))

    expect(page.locator("#pay")).to_have_count(0)
    expect(page.locator("#cancel")).to_be_visible()


@pytest.mark.viewports
def test_without_scripts_the_page_loads_itself_again(open_page: Callable[..., Page], live_site: LiveSite) -> None:
    page = open_page(java_script_enabled=False)
    page.goto(reverse("products:list"))
    page.locator(".card:has(.badge--good) .card__title a").first.click()
    page.locator(".product form .button--primary").click()
    page.goto(reverse("orders:checkout"))
    checkout_pages.fill_in_checkout(page)
    page.locator("main form .button--primary").click()
    page.wait_for_url("**/orders/*-*/")

    expect(page.locator("#pay")).to_be_visible()


def order_id_of(page: Page) -> str:
    return page.url.rstrip("/").rpartition("/")[2]


def look_away(page: Page, *, hidden: bool) -> None:
    """As a browser tells a page that its tab is (not) in front."""
    page.evaluate(
        """hidden => {
            Object.defineProperty(document, "hidden", {value: hidden, configurable: true});
            document.dispatchEvent(new Event("visibilitychange"));
        }""",
        hidden,
    )


def pass_two_minutes(page: Page) -> list[str]:
    return pass_time(page, TWO_MINUTES_MS)


def pass_time(page: Page, ms: int) -> list[str]:
    """What the page asks meanwhile, by its own clock."""
    asked = questions(page)
    page.clock.run_for(ms)
    return asked
