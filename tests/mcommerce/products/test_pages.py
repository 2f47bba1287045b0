"""A visitor looks around in the shop."""

import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from mcommerce.products.forms import CatalogueForm
from mcommerce.products.services.search import Sort
from mcommerce.products.views import PAGE_SIZE
from tests.mcommerce.products.conftest import put_on_shelf

pytestmark = pytest.mark.django_db


def read(client: Client, path: str, language: str = "en") -> str:
    return client.get(path, headers={"accept-language": language}).content.decode()


def titles_in_order(page: str, *titles: str) -> bool:
    places = [page.find(title) for title in titles]
    return places == sorted(places) and -1 not in places


def test_the_catalogue_shows_price_and_stock(client: Client) -> None:
    assert "The shelves are empty" in read(client, "/")
    put_on_shelf("Vase", pieces=1, price=123_456)
    put_on_shelf("Cheval", pieces=50)
    put_on_shelf("Coq")

    page = read(client, "/")

    assert "€1,234.56" in page
    assert "Only 1 left" in page
    assert "In stock" in page
    assert "Sold out" in page


def test_a_page_of_any_length_costs_the_same_queries(
    client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    queries = 2  # how many there are, and the page's products with their stock
    for number in range(PAGE_SIZE + 1):
        put_on_shelf(f"Vase {number}", pieces=number)
        if number in (0, PAGE_SIZE):
            with django_assert_num_queries(queries):
                client.get("/")


def test_the_second_page_has_the_rest_of_what_was_searched(client: Client) -> None:
    for number in range(PAGE_SIZE + 1):
        put_on_shelf(f"Vase {number:02}", pieces=1)

    first = read(client, "/?q=vase&sort=title")
    second = read(client, "/?q=vase&sort=title&page=2")

    assert "?q=vase&amp;sort=title&amp;page=2" in first
    assert f"Vase {PAGE_SIZE:02}" in second
    assert "Vase 00" not in second


def test_a_draft_is_not_shown(client: Client) -> None:
    put_on_shelf("Vase", published=False)

    assert "Vase" not in read(client, "/")
    assert client.get("/products/vase/").status_code == 404


@pytest.mark.parametrize("words", ["operation", "OPÉRATION", "hamster table", "operating", "table-sku"])
def test_a_product_is_found_without_accents_in_both_languages(client: Client, words: str) -> None:
    put_on_shelf("Table", title={"fr": "Table d’opération pour hamsters", "en": "Operating table"}, sku="TABLE-SKU")
    put_on_shelf("Vase")

    page = read(client, f"/?q={words}")

    assert "/products/table/" in page
    assert "/products/vase/" not in page


@pytest.mark.parametrize("words", ["zebra", "100%", "_", "' OR 1=1"])
def test_words_that_nothing_answers_to_offer_a_way_out(client: Client, words: str) -> None:
    put_on_shelf("Vase")

    page = client.get("/", {"q": words}, headers={"accept-language": "en"}).content.decode()

    assert "Nothing here answers to" in page
    assert "Show everything" in page


@pytest.mark.parametrize(
    ("sort", "order"),
    [
        (Sort.TITLE, ("Épée", "Vase", "Zèbre")),
        (Sort.CHEAPEST, ("Zèbre", "Épée", "Vase")),
        (Sort.DEAREST, ("Vase", "Épée", "Zèbre")),
        (Sort.NEWEST, ("Épée", "Zèbre", "Vase")),
        ("nonsense", ("Épée", "Vase", "Zèbre")),
    ],
)
def test_the_catalogue_is_sorted_as_asked(client: Client, sort: str, order: tuple[str, ...]) -> None:
    for title, price, slug in (("Vase", 300, "v"), ("Zèbre", 100, "z"), ("Épée", 200, "e")):
        put_on_shelf(title, price=price, slug=slug)

    assert titles_in_order(read(client, f"/?sort={sort}"), *order)
    assert set(CatalogueForm.SORTS) == set(Sort), "each has a name"


def test_each_visitor_reads_the_product_in_their_language_or_the_nearest(client: Client) -> None:
    put_on_shelf("Vase", title={"fr": "Cheval", "en": "Horse"}, price=1_990)
    put_on_shelf("Coq")

    assert "Horse" in read(client, "/products/vase/", "en")
    french = read(client, "/products/vase/", "fr")
    assert "Cheval" in french
    assert "19,90\N{NO-BREAK SPACE}€" in french
    assert "Coq" in read(client, "/products/coq/", "en")


@pytest.mark.needs_app(name="mcommerce.orders")
def test_no_more_can_be_asked_for_than_is_free(client: Client) -> None:
    put_on_shelf("Vase", pieces=3)
    put_on_shelf("Coq")

    page, sold_out = read(client, "/products/vase/"), read(client, "/products/coq/")

    assert 'max="3"' in page
    assert 'action="/cart/add/"' in page
    assert "Sold out" in sold_out
    assert 'name="quantity"' not in sold_out


def test_an_address_where_nothing_is_offers_something_else(client: Client) -> None:
    put_on_shelf("Vase")

    answer = client.get("/products/vasse/", headers={"accept-language": "en"})

    assert answer.status_code == 404
    assert "This is not for sale here" in answer.content.decode()
    assert "/products/vase/" in answer.content.decode()
