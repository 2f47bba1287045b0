"""Products and reservations as the operators' search finds them, with the movements of their stock."""

from collections.abc import Iterable, Iterator

from django.db.models import Q
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from eventbus.ids import text as id_text
from eventbus.journeys.search import identity
from eventbus.journeys.subjects import Fact, Subject
from mcommerce.products.models import Product, Reservation, StockMovement
from mcommerce.products.translated_texts import in_language

MOVEMENTS_MAX = 100  # of a product: the newest


def find(text: str) -> Iterator[Subject]:
    """Yield the product with this id, article number or address, and the reservation of the order with this id."""
    if not (one := identity(text)):
        yield from _products(Q(sku__iexact=text) | Q(slug=text))
        return
    yield from _products(Q(pk=one))
    for reservation in Reservation.objects.filter(pk=one):
        yield Subject(
            title=_("Reservation: %(status)s") % {"status": reservation.get_status_display()},
            keys=(id_text(one),),
            permission="products.view_reservation",
            page=reverse("admin:products_reservation_change", args=[one]),
            facts=_facts(StockMovement.objects.filter(order_id=one).select_related("product")),
        )


def _products(wanted: Q) -> Iterator[Subject]:
    for product in Product.objects.filter(wanted):
        yield Subject(
            title=_("Product %(title)s") % {"title": in_language(product.title, get_language())},
            keys=(id_text(product.pk),),
            permission="products.view_product",
            page=reverse("admin:products_product_change", args=[product.pk]),
            facts=_facts(product.movements.select_related("product")[:MOVEMENTS_MAX]),
        )


def _facts(movements: Iterable[StockMovement]) -> tuple[Fact, ...]:
    return tuple(
        Fact(
            one.at,
            _("Stock of %(product)s: %(quantity)s × %(kind)s")
            % {
                "product": one.product.sku,
                "quantity": one.quantity,
                "kind": f"{one.get_kind_display()} {one.note}".strip(),
            },
        )
        for one in movements
    )
