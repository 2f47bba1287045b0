"""A shop that sells in yen or dinars says one sum everywhere, from the desk to the mail."""

import re
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.db import transaction
from django.test import Client
from django.urls import reverse

from eventbus import publish
from eventbus.ids import uuid7
from eventbus.testing import settle
from mcommerce.events import PaymentSucceeded
from mcommerce.money import in_major_units
from mcommerce.orders.models import Order
from mcommerce.payment.models import Payment
from mcommerce.payment.sandbox.page_renderer import render
from mcommerce.products.models import Product
from tests.journeys.conftest import ANSWERS
from tests.journeys.order_queries import mails_about

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("bus_clock")]

WRITTEN = {
    ("JPY", "en"): ("1,000", 1_000, "¥1,000"),
    ("KWD", "fr"): ("1 234,567", 1_234_567, "1\u202f234,567\xa0KWD"),
    ("EUR", "fr"): ("1 234,50", 123_450, "1\u202f234,50\xa0€"),
}


def type_a_price(language: str, price: str) -> Product:
    """A merchant writes down a clock at the desk, in their language."""
    desk = Client(headers={"accept-language": language})
    desk.force_login(get_user_model().objects.create_superuser("desk@example.com"))
    words = {"title_fr": "Horloge", "title_en": "Clock", "sku": "CLOCK", "tax_rate": "20", "published": "on"}
    answer = desk.post(
        reverse("admin:products_product_add"), {**words, "price": price, "seen_version": 0, "received_now": "3"}
    )
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    settle()
    product = Product.objects.get()
    page = desk.get(reverse("admin:products_product_change", args=[product.id])).content.decode()
    assert f'value="{in_major_units(product.price, product.currency)}"' in page
    return product


@pytest.mark.parametrize(("currency", "language"), WRITTEN)
def test_one_sum_from_the_desk_to_the_mail(currency: str, language: str, settings: Any) -> None:
    settings.SHOP_CURRENCY = currency
    typed, amount, written = WRITTEN[currency, language]

    clock = type_a_price(language, typed)
    assert (clock.price, clock.currency) == (amount, currency)

    browser = Client(headers={"accept-language": language})
    browser.post(reverse("orders:add"), {"product_id": clock.id, "quantity": 1})
    pages = ["/", clock.get_absolute_url(), reverse("orders:cart"), reverse("orders:checkout")]
    for page in pages:
        assert sums_of(browser.get(page).content.decode(), currency) == {written}, page
    seen = browser.get(reverse("orders:checkout")).context["seen"]
    answers = {**ANSWERS, "language": language, "token": uuid4(), "seen": seen}
    placed = browser.post(reverse("orders:checkout"), answers)
    settle()
    order = Order.objects.get()
    assert written in browser.get(placed.url).content.decode()
    assert Payment.objects.values_list("amount", "currency").get() == (amount, currency)
    with transaction.atomic():
        publish(
            PaymentSucceeded(
                payment_id=uuid7(),
                order_id=order.id,
                amount=amount,
                currency=currency,
                provider="sandbox",
                provider_ref="chg_1",
            )
        )
    settle()
    assert written in mails_about(order)[-1].body


@pytest.mark.parametrize(("currency", "language"), WRITTEN)
def test_the_payment_page_asks_for_the_sum_that_the_shop_says(currency: str, language: str) -> None:
    _typed, amount, written = WRITTEN[currency, language]
    session: Any = {"id": "ses_1", "amount": amount, "currency": currency, "last4": "", "return_url": "http://shop"}

    assert written in render("card", language=language, session=session)


def sums_of(page: str, currency: str) -> set[str]:
    """The sums that a page says, without those of the tax."""
    figure = r"[0-9][0-9.,\u202f]*"
    sign = {"JPY": "¥|JPY", "KWD": "KWD", "EUR": "€"}[currency]
    return set(re.findall(rf"(?:(?:{sign})\xa0?{figure}|{figure}\xa0(?:{sign}))", page))
