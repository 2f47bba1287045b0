"""Products and reservations as the operators' search finds them, with the movements of their stock."""

from collections.abc import Iterable, Iterator

from django.db.models import Q
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from eventbus.ids import text as id_text
from eventbus.journeys.search import identity
from eventbus.journeys.subjects import Answer, Fact, Subject, Tone
from mcommerce.products.models import Product, Reservation, StockMovement
from mcommerce.products.translated_texts import in_language

MOVEMENTS_MAX = 100  # of a product: the newest
Status, Kind = Reservation.Status, StockMovement.Kind
STANDS: dict[str, str | Promise] = {
    Status.HELD: gettext_lazy("Set aside for the order: %(goods)s."),
    Status.COMMITTED: gettext_lazy("Sold, and out of the stock: %(goods)s."),
    Status.RELEASED: gettext_lazy("Free for others again: %(goods)s."),
    Status.RETURNED: gettext_lazy("They came back, and can be sold again: %(goods)s."),
}
TONES: dict[str, Tone] = {Status.HELD: "waits", Status.COMMITTED: "good"}


def find(text: str) -> Iterator[Subject]:
    """Yield the product with this id, article number or address, and the reservation of the order with this id."""
    if not (one := identity(text)):
        yield from _products(Q(sku__iexact=text) | Q(slug=text))
        return
    yield from _products(Q(pk=one))
    for reservation in Reservation.objects.filter(pk=one):
        movements = list(StockMovement.objects.filter(order_id=one).select_related("product"))
        held = any(one.kind == Kind.HELD for one in movements)
        status = reservation.get_status_display() if held else _("none made")
        yield Subject(
            title=_("Reservation: %(status)s") % {"status": status},
            keys=(id_text(one),),
            permission="products.view_reservation",
            page=reverse("admin:products_reservation_change", args=[one]),
            facts=_facts(movements),
            answers=(_where(reservation, movements),),
        )


def _where(reservation: Reservation, movements: Iterable[StockMovement]) -> Answer:
    """Return where the goods of an order are now. What was held for it once is in its movements."""
    held = [f"{one.quantity} × {one.product.sku}" for one in movements if one.kind == Kind.HELD]
    question = _("Where are the goods?")
    if not held:
        return Answer(question, _("None was set aside: not all of them were free."), reservation.changed_at)
    text = str(STANDS[reservation.status]) % {"goods": ", ".join(sorted(held))}
    return Answer(question, text, reservation.changed_at, tone=TONES.get(reservation.status, ""))


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
