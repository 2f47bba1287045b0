"""The orders' desk: everything can be read, nothing edited; what staff decides goes through the services."""

from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from eventbus import clock
from mcommerce.orders import refunds, services
from mcommerce.orders.forms import SendingForm
from mcommerce.orders.models import Offer, Order, OrderLine, OrderStep, Refund
from mcommerce.orders.templatetags.order_money import money


class ReadOnly:
    """Nobody adds, edits or deletes by hand."""

    def has_add_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        return False


class LineInline(ReadOnly, admin.TabularInline):
    model = OrderLine
    fields = ["name", "sku", "quantity", "unit_price", "tax_rate", "total", "tax"]
    readonly_fields = ["name"]
    extra = 0

    @admin.display(description=_("title"))
    def name(self, line: OrderLine) -> str:
        return line.name


class StepInline(ReadOnly, admin.TabularInline):
    model = OrderStep
    fields = ["at", "kind", "detail"]
    extra = 0


class RefundInline(ReadOnly, admin.TabularInline):
    model = Refund
    fields = ["id", "payment_id", "amount", "currency", "reason", "state", "code"]
    readonly_fields = ["id"]
    extra = 0


@admin.register(Order)
class OrderAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["number", "placed_at", "state", "cancel_reason", "sum", "email", "needs_attention"]
    list_filter = ["needs_attention", "state", "cancel_reason", "country"]
    search_fields = ["number__iexact", "email__iexact", "name", "id"]
    date_hierarchy = "placed_at"
    inlines = [LineInline, StepInline, RefundInline]
    actions = ["cancel", "ship", "deliver", "refund_again", "looked_at"]
    action_form = SendingForm

    @admin.display(description=_("total"), ordering="total")
    def sum(self, order: Order) -> str:
        return money(order.total, order.currency)

    @admin.action(description=_("Cancel, and send the money back"), permissions=["decide"])
    def cancel(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        self._each(request, orders, lambda order: services.cancel_by_staff(order_id=order.id, now=clock.now()))

    @admin.action(description=_("Mark as sent (carrier and tracking number beside)"), permissions=["decide"])
    def ship(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        sent = {name: request.POST.get(name, "")[:100].strip() for name in ("carrier", "tracking")}
        self._each(request, orders, lambda order: services.ship(order_id=order.id, now=clock.now(), **sent))

    @admin.action(description=_("Mark as delivered"), permissions=["decide"])
    def deliver(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        self._each(request, orders, lambda order: services.deliver(order_id=order.id, now=clock.now()))

    @admin.action(description=_("Try failed refunds again"), permissions=["decide"])
    def refund_again(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        failed = Refund.objects.filter(order__in=orders, state=Refund.State.FAILED)
        self._each(request, failed, lambda refund: refunds.ask_again(refund_id=refund.id, now=clock.now()))

    @admin.action(description=_("A person has looked at it"), permissions=["decide"])
    def looked_at(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        orders.update(needs_attention=False)

    def has_decide_permission(self, request: HttpRequest) -> bool:
        """Whoever could change orders, if they could be changed by hand, may decide about them."""
        return request.user.has_perm("orders.change_order")

    def _each(self, request: HttpRequest, rows: Iterable[Any], decide: Callable[[Any], bool]) -> None:
        """Decide about each; say how many it was done to, and how many were in a state that does not allow it."""
        outcomes = [decide(row) for row in rows]
        done, left = outcomes.count(True), outcomes.count(False)
        if done:
            messages.success(request, _("Done: %(count)d.") % {"count": done})
        if left:
            said = ngettext(
                "%(count)d is in a state that does not allow it.",
                "%(count)d are in a state that does not allow it.",
                left,
            ) % {"count": left}
            messages.warning(request, said)


@admin.register(Offer)
class OfferAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ["name", "sku", "price_tag", "for_sale", "available", "version", "stock_version"]
    list_filter = ["for_sale"]
    search_fields = ["sku", "slug"]

    @admin.display(description=_("price"), ordering="price")
    def price_tag(self, offer: Offer) -> str:
        return money(offer.price, offer.currency)
