"""Every page of the site, and how somebody comes to see it in each of its states.

A scene starts in a window that has never been here, so scenes never meet each other's cart, order or account.
"""

from collections.abc import Callable
from dataclasses import dataclass

from django.urls import reverse
from playwright.sync_api import Page, expect

from tests.browser import actors
from tests.browser.cart_pages import fill_cart, have_cart
from tests.browser.checkout_pages import (
    place_order,
    see_changed_checkout,
    see_checkout,
    see_faulty_checkout,
    see_refused_order,
    see_short_cart,
)
from tests.live_site import LiveSite

GOOD_CARD, DECLINED_CARD, LOST_ANSWER_CARD = "4242 4242 4242 4242", "4000 0000 0000 0002", "4000 0000 0000 0341"
LOST_ANSWER_MS = 60_000  # the stand-in lets who pays with that card wait
CONTRACT = "lyon"  # the simulator has it

Reach = Callable[[Page, LiveSite], None]


@dataclass(frozen=True)
class Scene:
    """A page in a state. `url_name` is the URL name that shows it."""

    name: str
    url_name: str
    reach: Reach


def see(url_name: str, *arguments: object, query: str = "") -> Reach:
    """The page is reached by its address alone."""

    def reach(page: Page, site: LiveSite) -> None:
        page.goto(reverse(url_name, args=arguments) + query)

    return reach


# --- the shop -------------------------------------------------------------------------------------------------------


def see_product(page: Page, site: LiveSite) -> None:
    page.goto(reverse("products:list"))
    page.locator(".card__title a").first.click()
    page.wait_for_url("**/products/**")


def see_emptied_cart(page: Page, site: LiveSite) -> None:
    have_cart(page)
    page.reload()
    page.locator(".line:first-child .line__act form:last-child button").click()
    expect(page.locator(".lines .line")).to_have_count(1)


def see_address_book(page: Page, site: LiveSite) -> None:
    actors.save_address(page, site)
    see_checkout(page, site)
    page.locator("#address-book button").click()
    expect(page.locator("#id_street")).to_have_value("2 rue des Dieux")


def see_cart_again(page: Page, site: LiveSite) -> None:
    cancel_order(page, site)
    page.goto(reverse("orders:cart"))
    expect(page.locator("[id^=came-back]")).to_be_visible()


def go_to_pay(page: Page, site: LiveSite) -> None:
    place_order(page, site)
    page.locator("#pay").click()
    page.wait_for_url(site.provider_url + "/**")


def type_card(page: Page, card: str) -> None:
    """At the payment provider."""
    for field, text in {"#number": card, "#expiry": "12 / 40", "#cvc": "123"}.items():
        page.locator(field).fill(text)
    page.locator("button.primary").click()


def pay_with(card: str) -> Reach:
    def reach(page: Page, site: LiveSite) -> None:
        go_to_pay(page, site)
        type_card(page, card)
        if card == DECLINED_CARD:
            page.locator(".back a").click()
        page.wait_for_url(site.url + "/orders/*/")
        expect(page.locator("#pay" if card == DECLINED_CARD else ".page-head .badge--good")).to_be_visible()

    return reach


def lose_the_answer(page: Page, site: LiveSite) -> None:
    go_to_pay(page, site)
    type_card(page, LOST_ANSWER_CARD)
    page.wait_for_url(site.url + "/orders/*/", timeout=LOST_ANSWER_MS)
    expect(page.locator("#pay")).to_have_count(0)


def cancel_order(page: Page, site: LiveSite) -> None:
    place_order(page, site)
    page.locator("#cancel").click()
    expect(page.locator("#pay")).to_have_count(0)


# --- accounts -------------------------------------------------------------------------------------------------------


def see_own_orders(page: Page, site: LiveSite) -> None:
    actors.have_account_and_sign_in(page, site)
    place_order(page, site)
    page.goto(reverse("orders:list"))


# --- stations -------------------------------------------------------------------------------------------------------


def live(url_name: str, *arguments: object, query: str = "") -> Reach:
    """A page that says it is live once its socket has told it the state."""

    def reach(page: Page, site: LiveSite) -> None:
        page.goto(reverse(url_name, args=arguments) + query)
        expect(page.locator("#connection")).to_have_attribute("data-state", "live")

    return reach


def see_changes(page: Page, site: LiveSite) -> None:
    live("stations:dashboard")(page, site)
    page.get_by_role("tab", name="Just now").or_(page.get_by_role("tab", name="À l’instant")).click()
    expect(page.locator("#ticker .feed__line").first).to_be_visible()


def see_station(page: Page, site: LiveSite) -> None:
    page.goto(reverse("stations:dashboard") + f"?contract={CONTRACT}")
    # The first snapshot makes the rows anew: a click that began on the server's row would lead nowhere.
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    page.locator("#stations tbody a").first.click()
    page.wait_for_url(f"**/simulator/{CONTRACT}-*/")
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")


def see_station_history(page: Page, site: LiveSite) -> None:
    see_station(page, site)
    page.locator("#station a[href*='/stations/history/']").click()
    expect(page.locator("#week-plot canvas")).to_be_visible()


def see_city_history(page: Page, site: LiveSite) -> None:
    page.goto(reverse("stations:city", args=[CONTRACT]))
    expect(page.locator("#sum-plot canvas")).to_be_visible()
    expect(page.locator("#playback")).to_be_visible()


# --- the desk -------------------------------------------------------------------------------------------------------


def enter_desk(page: Page, site: LiveSite) -> None:
    actors.sign_in(page, actors.have_account(site, superuser=True))
    page.goto(reverse("admin:index"))


def at_desk(url_name: str, *, after: Reach | None = None) -> Reach:
    """A list of the desk, once something is in it."""

    def reach(page: Page, site: LiveSite) -> None:
        if after:
            after(page, site)
        enter_desk(page, site)
        page.goto(reverse(url_name))

    return reach


SCENES = [
    Scene("shop", "products:list", see("products:list")),
    Scene("shop-searched", "products:list", see("products:list", query="?q=zeus")),
    Scene("shop-nothing-found", "products:list", see("products:list", query="?q=unicorn")),
    Scene("product", "products:detail", see_product),
    Scene("product-unknown", "products:detail", see("products:detail", "no-such-thing")),
    Scene("cart-empty", "orders:cart", see("orders:cart")),
    Scene("cart", "orders:cart", fill_cart),
    Scene("cart-short", "orders:cart", see_short_cart),
    Scene("cart-came-back", "orders:cart", see_cart_again),
    Scene("cart-one-removed", "orders:cart", see_emptied_cart),
    Scene("checkout", "orders:checkout", see_checkout),
    Scene("checkout-faulty", "orders:checkout", see_faulty_checkout),
    Scene("checkout-changed", "orders:checkout", see_changed_checkout),
    Scene("checkout-address-book", "orders:checkout", see_address_book),
    Scene("terms", "orders:terms", see("orders:terms")),
    Scene("order-to-pay", "orders:order", place_order),
    Scene("provider", "payment:pay", go_to_pay),
    Scene("order-declined", "orders:order", pay_with(DECLINED_CARD)),
    Scene("order-in-doubt", "orders:order", lose_the_answer),
    Scene("order-paid", "orders:order", pay_with(GOOD_CARD)),
    Scene("order-cancelled", "orders:order", cancel_order),
    Scene("order-refused", "orders:order", see_refused_order),
    Scene("orders-none", "orders:list", actors.signed_in("orders:list")),
    Scene("orders", "orders:list", see_own_orders),
    Scene("sign-in", "account_login", see("account_login")),
    Scene("sign-in-refused", "account_login", actors.refuse_sign_in),
    Scene("sign-in-too-often", "account_login", actors.guess_too_often),
    Scene("sign-in-code", "mfa_authenticate", actors.be_asked_for_code),
    Scene("register", "account_signup", see("account_signup")),
    Scene("register-code", "account_email_verification_sent", actors.register),
    Scene("account", "accounts:account", actors.save_address),
    Scene("account-closed", "account_inactive", see("account_inactive")),
    Scene("sign-out", "account_logout", actors.signed_in("account_logout")),
    Scene("email", "account_email", actors.signed_in("account_email")),
    Scene("is-it-you", "account_reauthenticate", actors.be_asked_who_one_is),
    Scene("is-it-you-code", "mfa_reauthenticate", actors.with_second_factor("mfa_reauthenticate")),
    Scene("password", "account_change_password", actors.signed_in("account_change_password")),
    Scene("password-forgotten", "account_reset_password", see("account_reset_password")),
    Scene("password-link-sent", "account_reset_password_done", actors.see_link_sent),
    Scene("password-link", "account_reset_password_from_key", actors.follow_link),
    Scene("password-link-bad", "account_reset_password_from_key", see("accounts:open_link")),
    Scene("second-factor-none", "mfa_index", actors.signed_in("mfa_index")),
    Scene("second-factor", "mfa_index", actors.with_second_factor("mfa_index")),
    Scene("second-factor-app", "mfa_activate_totp", actors.begin_second_factor),
    Scene("second-factor-remove", "mfa_deactivate_totp", actors.with_second_factor("mfa_deactivate_totp")),
    Scene("recovery-codes", "mfa_view_recovery_codes", actors.have_second_factor),
    Scene(
        "recovery-codes-new", "mfa_generate_recovery_codes", actors.with_second_factor("mfa_generate_recovery_codes")
    ),
    Scene("address-new", "accounts:add_address", actors.signed_in("accounts:add_address")),
    Scene("address", "accounts:edit_address", actors.change_address),
    Scene("stations", "stations:dashboard", see_changes),
    Scene("stations-city", "stations:dashboard", live("stations:dashboard", query=f"?contract={CONTRACT}")),
    Scene("station", "stations:station", see_station),
    Scene("station-feed", "stations:feed", see("stations:feed", "simulator")),
    Scene("station-history", "stations:history", see_station_history),
    Scene("city-history", "stations:city", see_city_history),
    Scene("station-unknown", "stations:station", see("stations:station", "simulator", f"{CONTRACT}-999999")),
    Scene("producer", "stations:producer", live("stations:producer")),
    Scene("desk", "admin:index", enter_desk),
    Scene("desk-offers", "admin:orders_offer_changelist", at_desk("admin:orders_offer_changelist")),
    Scene("desk-orders", "admin:orders_order_changelist", at_desk("admin:orders_order_changelist", after=cancel_order)),
    Scene("desk-progress", "admin:eventbus_progress_changelist", at_desk("admin:eventbus_progress_changelist")),
]

# URL names that never show a page of ours, and why.
NOT_PAGES = {
    "front-page": "answers with a redirect, where the catalogue is not installed",
    "products:picture": "an image",
    "orders:count": "a number for the header of pages that are open",
    "orders:add": "takes a form, answers with a redirect",
    "orders:change": "takes a form, answers with a redirect",
    "orders:agree": "takes a form, answers with a redirect",
    "orders:take": "takes a form, answers with a redirect",
    "orders:rest": "takes a form, answers with a redirect",
    "orders:open": "answers with a redirect",
    "orders:cancel": "takes a form, answers with a redirect",
    "payment:return": "answers with a redirect",
    "payment:webhook": "for the payment provider",
    "account_set_password": "for somebody signed in without a password, which nobody is",
    "account_reset_password_from_key_done": "who has chosen a password is signed in",
    "mfa_download_recovery_codes": "a text file",
    "admin:login": "answers with a redirect to the sign-in page",
    "accounts:open_link": "answers with a redirect",
    "accounts:delete_address": "takes a form, answers with a redirect",
    "stations:state": "JSON",
    "stations:gbfs": "JSON",
    "stations:gbfs-manifest": "JSON",
    "stations:rest:api-root": "leads to the OpenAPI document",
    "stations:rest:openapi-json": "JSON",
    "stations:rest:feeds": "JSON",
    "stations:rest:stations": "JSON",
    "stations:rest:station": "JSON",
    "stations:rest:unknown": "JSON",
    "stations:moment": "JSON",
    "stations:pause_alert": "takes a form, answers with a redirect",
    "stations:delete_alert": "takes a form, answers with a redirect",
    "stations:export": "a file to save",
    "stations:steer": "takes a form, answers with a redirect or JSON",
    "stations:switch_remarks": "takes a form, answers with a redirect or JSON",
    "stations:remark": "takes a form, answers with a redirect or JSON",
    "set_language": "takes a form, answers with a redirect",
    "bus-events-export": "JSON lines",
    "health-live": "JSON",
    "health-ready": "JSON",
    "health-serving": "JSON",
    "metrics": "text for Prometheus",
    "bus-select": "takes a form, answers with a redirect",
    "bus-begin-run": "takes a form, answers with a redirect",
    "bus-undo-run": "takes a form, answers with a redirect",
    "bus-end-log-level": "takes a form, answers with a redirect",
    "bus-operate-replay": "takes a form, answers with a redirect",
    "bus-close-breaker": "takes a form, answers with a redirect",
    "bus-export": "JSON lines",
}
