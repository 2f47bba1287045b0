"""The lists of the desk stay light however long their tables grow. How fast they are, `benchmarks.desk` measures."""

import re
from typing import Any

import pytest
from django.contrib import admin
from django.db import connection
from django.db.models import Model
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from benchmarks.rows import fill, uuid_of
from eventbus.admin import model_admin
from mcommerce.orders.models import Order
from mcommerce.products.models import Product

LISTED = [model for model in admin.site._registry if model._meta.app_label != "auth"]
FULL, TWICE = 120, 240  # rows: more than a page shows, and twice as many
QUERIES_MAX = 12
BYTES_MAX = 200_000
PAGE_LINKS_MAX = 14  # ten beside the page itself, two at each end
GROWTH_BYTES_MAX = 1_500  # numbers with one digit more, in each of a hundred rows


def look(client: Client, model: type[Model], **asked: Any) -> tuple[str, int]:
    """The list's page, and how many queries it took."""
    address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    with CaptureQueriesContext(connection) as queries:
        page = client.get(address, asked)
    assert page.status_code == 200, address
    return page.content.decode(), len(queries)


def test_no_list_grows_with_its_table_or_with_another(admin_client: Client) -> None:
    fill(FULL)
    before = {model: look(admin_client, model) for model in LISTED}
    fill(TWICE)
    after = {model: look(admin_client, model) for model in LISTED}

    grown = {m: len(after[m][0]) - len(before[m][0]) for m in LISTED}
    assert {m: more for m, more in grown.items() if more > GROWTH_BYTES_MAX} == {}
    assert {m: page for m, (page, _queries) in after.items() if len(page.encode()) > BYTES_MAX} == {}
    assert {m: queries for m, (_page, queries) in after.items() if queries > QUERIES_MAX} == {}
    assert {m: queries - before[m][1] for m, (_page, queries) in after.items() if queries > before[m][1]} == {}


def test_every_list_can_be_searched_for_whatever_somebody_types(admin_client: Client) -> None:
    fill(10)

    for words in ("vase bavard", str(uuid_of(7)), "%_'\"\\" + "é" * 300):
        found = {model: look(admin_client, model, q=words)[1] for model in LISTED}
        assert {model: queries for model, queries in found.items() if queries > QUERIES_MAX} == {}, words


def test_a_product_is_found_by_its_article_number_else_by_its_words(admin_client: Client) -> None:
    fill(20)

    by_number, _queries = look(admin_client, Product, q="vase-1")
    by_words, _queries = look(admin_client, Product, q="bavard 17")

    assert ("VASE-1<" in by_number, "VASE-10<" in by_number) == (True, False)
    assert ("VASE-17<" in by_words, "VASE-1<" in by_words) == (True, False)


def test_a_list_counts_no_more_than_it_has_pages_for(admin_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_admin, "COUNTED_MAX", 100)
    fill(FULL)

    page, _queries = look(admin_client, Order)

    assert "100 orders or more. Search or filter" in page


def test_the_shops_window_has_few_links_to_pages(db: None, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcommerce.products.views.PAGE_SIZE", 3)
    fill(FULL)
    for page in (1, 13, 27):
        window = client.get(reverse("products:list"), {"page": page}).content.decode()

        links = re.findall(r'href="\?page=(\d+)"', window)
        assert len(links) <= PAGE_LINKS_MAX
        assert {"1", "27", str(page)} <= set(links)
