"""At the checkout: a form filled in and sent, and what may come between."""

from django.urls import reverse
from playwright.sync_api import Page, expect

from tests.browser.cart_pages import have_cart
from tests.live_site import LiveSite

# The badges, as before the first word about the stock; and as they were
HEAR_NOTHING = "from mcommerce.orders.models import Offer; Offer.objects.update(available=None)"
HEAR_AGAIN = """
from mcommerce.orders.models import Offer
for product, free in {known}.items():
    Offer.objects.filter(product_id=product, available=None).update(available=free)
"""


def see_checkout(page: Page, site: LiveSite) -> None:
    have_cart(page)
    page.goto(reverse("orders:checkout"))


def see_faulty_checkout(page: Page, site: LiveSite) -> None:
    see_checkout(page, site)
    page.locator("main form").evaluate("form => { form.noValidate = true }")
    page.locator("#id_email").fill("zeus")
    page.locator("main form .button--primary").click()
    expect(page.locator(".errorlist").first).to_be_visible()


def see_changed_checkout(page: Page, site: LiveSite) -> None:
    """Another tab takes one thing out and puts more of the other in; then this one orders."""
    see_checkout(page, site)
    fill_in_checkout(page)
    other = page.context.new_page()
    other.goto(reverse("orders:cart"))
    other.locator(".line:first-child .line__act form:last-child button").click()
    expect(other.locator(".lines .line")).to_have_count(1)
    other.locator("#quantity-1").fill("3")
    other.locator(".line__act form:first-child button").click()
    expect(other.locator("#quantity-1")).to_have_value("3")
    other.close()
    page.locator("main form .button--primary").click()
    expect(page.locator("#changes")).to_be_visible()


def want_too_many(page: Page, site: LiveSite) -> None:
    """More of something scarce than there is, beside what there is enough of."""
    have_cart(page)
    page.goto(reverse("products:list"))
    page.locator(".card:has(.badge--warn) .card__title a").first.click()
    page.locator(".product form").evaluate("form => { form.noValidate = true }")
    page.locator("#quantity").fill("5")
    page.locator(".product form .button--primary").click()
    page.wait_for_url("**" + reverse("orders:cart"))


def see_short_cart(page: Page, site: LiveSite) -> None:
    want_too_many(page, site)
    expect(page.locator("#take")).to_be_visible()


def see_refused_order(page: Page, site: LiveSite) -> None:
    """Ordered before the shop heard how few there are."""
    want_too_many(page, site)
    known = dict(site.rows("SELECT product_id, available FROM orders_offer"))
    site.manage("shell", "--verbosity=0", "--command", HEAR_NOTHING)
    page.goto(reverse("orders:checkout"))
    fill_in_checkout(page)
    page.locator("main form .button--primary").click()
    page.wait_for_url("**/orders/*-*/")
    expect(page.locator("#rest")).to_be_visible()
    site.manage("shell", "--verbosity=0", "--command", HEAR_AGAIN.format(known=known))


def place_order(page: Page, site: LiveSite) -> None:
    """Returns when it can be paid."""
    see_checkout(page, site)
    send_checkout(page)


def send_checkout(page: Page) -> None:
    """Order what is in the cart, at the checkout; returns when it can be paid."""
    fill_in_checkout(page)
    page.locator("main form .button--primary").click()
    page.wait_for_url("**/orders/*-*/")
    expect(page.locator("#pay")).to_be_visible()
    expect(page.locator("#order-state")).to_have_attribute("data-state", "live")


def fill_in_checkout(page: Page) -> None:
    answers = {
        "email": "hera@olymp.example",
        "name": "Hera",
        "street": "1 rue des Dieux",
        "postal_code": "69002",
        "city": "Lyon",
    }
    for field, answer in answers.items():
        page.locator(f"#id_{field}").fill(answer)
    page.locator("#id_terms").check()
