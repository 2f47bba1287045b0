"""Two things in a cart: put there by hand, or without a look at the way."""

from django.urls import reverse
from playwright.sync_api import Page

from tests.live_site import LiveSite

# The forms of two products that can be had, sent as `fill_cart` sends them, but by a page that shows none of it.
SEND_FORMS = """async quantities => {
    const ask = async (address, sent) => {
        const answer = await fetch(address, sent);
        if (!answer.ok) throw new Error(`${address} answered with ${answer.status}`);
        return new DOMParser().parseFromString(await answer.text(), "text/html");
    };
    const list = await ask("%s");
    const links = [...list.querySelectorAll(".card:has(.badge--good) .card__title a")];
    for (const [nth, quantity] of quantities.entries()) {
        const form = (await ask(links[nth].getAttribute("href"))).querySelector(".product form");
        const fields = new URLSearchParams(new FormData(form));
        fields.set("quantity", quantity);
        await ask(form.getAttribute("action"), {method: "POST", body: fields});
    }
}"""
QUANTITIES = ("2", "1")


def fill_cart(page: Page, site: LiveSite) -> None:
    """Two different things, one of them twice."""
    for nth, quantity in enumerate(QUANTITIES):
        page.goto(reverse("products:list"))
        page.locator(".card:has(.badge--good) .card__title a").nth(nth).click()
        page.locator("#quantity").fill(quantity)
        page.locator(".product form .button--primary").click()
        page.wait_for_url("**" + reverse("orders:cart"))


def have_cart(page: Page) -> None:
    """What `fill_cart` comes to, with no page drawn but the empty cart: for whom the way does not matter."""
    page.goto(reverse("orders:cart"))
    page.evaluate(SEND_FORMS % reverse("products:list"), QUANTITIES)
