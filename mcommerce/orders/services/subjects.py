"""Orders as the operators' search finds them, with the steps that each has taken."""

from collections.abc import Iterator

from django.db.models import Value
from django.db.models.functions import Upper
from django.urls import reverse
from django.utils.translation import gettext as _

from eventbus.ids import text as id_text
from eventbus.journeys.search import identity
from eventbus.journeys.subjects import Fact, Subject
from mcommerce.orders.models import Order

ORDERS_MAX = 20  # of one e-mail address: the newest


def find(text: str) -> Iterator[Subject]:
    """Yield the orders with this id, number or e-mail address, the newest first."""
    orders = Order.objects.prefetch_related("steps")
    if one := identity(text):
        found = orders.filter(pk=one)
    else:  # by the indexes of these columns
        name = "email" if "@" in text else "number"
        found = orders.alias(upper=Upper(name)).filter(upper=Upper(Value(text)))[:ORDERS_MAX]
    for order in found:
        yield Subject(
            title=_("Order %(number)s: %(state)s") % {"number": order.number, "state": order.get_state_display()},
            keys=(id_text(order.pk),),
            permission="orders.view_order",
            page=reverse("admin:orders_order_change", args=[order.pk]),
            facts=tuple(Fact(step.at, _said(step.get_kind_display(), step.detail)) for step in order.steps.all()),
        )


def _said(what: str, detail: str) -> str:
    return f"{what} ({detail})" if detail else what
