"""The search for what is for sale."""

from enum import StrEnum

from django.conf import settings
from django.db.models import QuerySet
from django.db.models.fields.json import KT

from mcommerce.products.models import OldSlug, Product
from mcommerce.products.translated_texts import fold

WORDS_MAX = 8  # each is a scan of the table; nobody remembers more of a title


class Sort(StrEnum):
    """The sort orders of the catalogue."""

    TITLE = "title"
    CHEAPEST = "price"
    DEAREST = "-price"
    NEWEST = "new"


def find_products(*, text: str, sort: Sort, language: str) -> QuerySet[Product]:
    """Return the products for sale that have every word of `text` in one of their languages, with their stock."""
    found = with_words(Product.objects.filter(published=True).select_related("stock"), text)
    match sort:
        case Sort.CHEAPEST:
            return found.order_by("price", "id")
        case Sort.DEAREST:
            return found.order_by("-price", "id")
        case Sort.NEWEST:
            return found.order_by("-created_at", "-id")
    return found.order_by(KT(f"folded__{_written_in(language)}"), "id")


def with_words(products: QuerySet[Product], text: str) -> QuerySet[Product]:
    """Return those of the products that have every word of `text`, each in any of their languages."""
    for word in fold(text).split()[:WORDS_MAX]:
        products = products.filter(words__contains=word)
    return products


def product_at(slug: str) -> Product | None:
    """Return the product for sale whose page is at `slug`."""
    return Product.objects.filter(slug=slug, published=True).select_related("stock").first()


def moved_to(slug: str) -> Product | None:
    """Return the product for sale whose page used to be at `slug`."""
    old = OldSlug.objects.filter(slug=slug, product__published=True).select_related("product").first()
    return old.product if old else None


def _written_in(language: str) -> str:
    """Return the language's code if the shop has it, else that of the shop's first. The code is put into a query."""
    code = language.partition("-")[0]
    return code if code in dict(settings.LANGUAGES) else settings.SHOP_LANGUAGE
