"""The cart as a page showed it, sent back with the order's form, so that nothing unseen is ordered."""

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from uuid import UUID

from django.utils.translation import gettext as _

from mcommerce.money.template_filters import money
from mcommerce.orders.carts.cart import LINES_MAX, Item
from mcommerce.orders.models import Offer

LINE = re.compile(r"([0-9a-f]{32})x([0-9]{1,9})@([0-9]{1,18})([A-Z]{3})")  # product, pieces, price, currency

Line = tuple[int, int, str]  # pieces, price in minor units, currency


def written(items: Sequence[Item]) -> str:
    """Return the cart's content and prices as text, the same for the same content in any order."""
    return " ".join(
        sorted(
            f"{item.offer.product_id.hex}x{item.line.quantity}@{item.offer.price}{item.offer.currency}"
            for item in items
        )
    )


def changes(seen: str, items: Sequence[Item]) -> list[str]:
    """Return a sentence for each change since the page, and for each line that cannot be ordered as it is."""
    before = _read(seen)
    gone = _gone(before, items) if seen != written(items) else []
    return [*gone, *(said for item in items for said in _changed(item, before))]


def _read(seen: str) -> dict[UUID, Line]:
    """Parse the lines that a browser sent back. Anything else in the text is ignored."""
    found = islice(LINE.finditer(seen), LINES_MAX)
    return {UUID(line[1]): (int(line[2]), int(line[3]), line[4]) for line in found}


def _gone(before: dict[UUID, Line], items: Sequence[Item]) -> list[str]:
    there = {item.offer.product_id for item in items}
    offers = Offer.objects.filter(product_id__in=before.keys() - there)
    return [_("%(name)s is not in the cart any more.") % {"name": offer.name} for offer in offers]


def _changed(item: Item, before: dict[UUID, Line]) -> Iterator[str]:
    name, offer = item.offer.name, item.offer
    pieces, price, currency = before.get(offer.product_id, (0, offer.price, offer.currency))
    if item.repriced:
        price, currency = item.line.agreed_price, item.line.agreed_currency
    if item.gone:
        yield _("%(name)s is no longer for sale.") % {"name": name}
        return
    if before and not pieces:
        yield _("%(name)s is new in the cart.") % {"name": name}
    elif before and pieces != item.line.quantity:
        yield _("%(name)s: %(now)d pieces instead of %(before)d.") % {
            "name": name,
            "now": item.line.quantity,
            "before": pieces,
        }
    if (price, currency) != (offer.price, offer.currency):
        sums = {"now": money(offer.price, offer.currency), "before": money(price, currency)}
        yield _("%(name)s costs %(now)s instead of %(before)s.") % {"name": name, **sums}
    if item.scarce:
        yield short(item)


def short(item: Item) -> str:
    """Return a sentence that says how many pieces of a scarce item seem to be free."""
    if item.left < 1:
        return _("%(name)s is sold out right now.") % {"name": item.offer.name}
    return _("Only %(left)d of %(name)s left right now.") % {"left": item.left, "name": item.offer.name}
