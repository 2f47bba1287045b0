"""The orders' desk: everything can be read, nothing edited; what staff decides goes through the services."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from eventbus import clock
from mcommerce import staff
from mcommerce.money.filters import money
from mcommerce.orders import access, refunds, services
from mcommerce.orders.deciding import DecidingAdmin
from mcommerce.orders.forms import SendingForm
from mcommerce.orders.models import Offer, Order, OrderLine, OrderStep, Refund


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
    fields = ["at", "kind", "detail", "who"]
    readonly_fields = ["who"]
    extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[OrderStep]:
        return super().get_queryset(request).annotate(by_name=staff.name_of("by"))

    @admin.display(description=_("by"))
    def who(self, step: Any) -> str:
        """Who of the staff decided it: the name, or the id of somebody deleted."""
        return step.by_name or step.by or "–"


class RefundInline(ReadOnly, admin.TabularInline):
    model = Refund
    fields = ["id", "payment_id", "amount", "currency", "reason", "state", "code"]
    readonly_fields = ["id"]
    extra = 0


@admin.register(Order)
class OrderAdmin(DecidingAdmin, ReadOnly, admin.ModelAdmin):
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

    @admin.action(description=_("Cancel, and send the money back"), permissions=["cancel"])
    def cancel(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        self._each(request, orders, services.cancel_by_staff)

    @admin.action(description=_("Mark as sent (carrier and tracking number beside)"), permissions=["ship"])
    def ship(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        sent = {name: request.POST.get(name, "")[:100].strip() for name in ("carrier", "tracking")}
        self._each(request, orders, partial(services.ship, **sent))

    @admin.action(description=_("Mark as delivered"), permissions=["ship"])
    def deliver(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        self._each(request, orders, services.deliver)

    @admin.action(description=_("Try failed refunds again"), permissions=["refund"])
    def refund_again(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        failed = Refund.objects.filter(order__in=orders, state=Refund.State.FAILED)
        self._each(request, failed, refunds.ask_again, named="refund_id")

    @admin.action(description=_("A person has looked at it"), permissions=["attend"])
    def looked_at(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        self._each(request, orders, services.note_look)

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return staff.may(request.user, access.CANCEL)

    def has_ship_permission(self, request: HttpRequest) -> bool:
        return staff.may(request.user, access.SHIP)

    def has_refund_permission(self, request: HttpRequest) -> bool:
        return staff.may(request.user, access.REFUND)

    def has_attend_permission(self, request: HttpRequest) -> bool:
        return staff.may(request.user, access.ATTEND)

    def _each(
        self, request: HttpRequest, rows: Iterable[Any], decide: Callable[..., bool], *, named: str = "order_id"
    ) -> None:
        """Decide about each; say how many it was done to, and how many were in a state that does not allow it."""
        outcomes = [decide(**{named: row.id}, by=request.user.pk, now=clock.now()) for row in rows]
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
