"""The admin of orders: everything can be read, nothing edited; decisions of staff go through the services."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import mark_safe
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from eventbus import clock
from eventbus.admin.model_admin import BigTable, ReadOnly, mark_column
from mcommerce import countries, staff_permissions
from mcommerce.features.links import link_to
from mcommerce.money.admin_columns import money_column
from mcommerce.money.template_filters import percent
from mcommerce.orders import access
from mcommerce.orders.admin.decision_pages import DecidingAdmin
from mcommerce.orders.forms import SendingForm
from mcommerce.orders.models import Offer, Order, OrderLine, OrderStep, Refund
from mcommerce.orders.services import lifecycle, refunds


class LineInline(ReadOnly, admin.TabularInline):
    model = OrderLine
    fields = ["name", "sku", "quantity", "unit_money", "vat", "total_money", "tax_money"]
    readonly_fields = ["name", "unit_money", "vat", "total_money", "tax_money"]
    extra = 0
    unit_money = money_column("unit_price", _("unit price"), currency="order.currency")
    total_money = money_column("total", _("total"), currency="order.currency")
    tax_money = money_column("tax", _("of which VAT"), currency="order.currency")

    @admin.display(description=_("VAT rate"))
    def vat(self, line: OrderLine) -> str:
        return percent(line.tax_rate)

    @admin.display(description=_("title"))
    def name(self, line: OrderLine) -> str:
        return line.name


class StepInline(ReadOnly, admin.TabularInline):
    model = OrderStep
    fields = ["at", "kind", "detail", "who"]
    readonly_fields = ["who"]
    extra = 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        named: QuerySet[Any] = rows.annotate(by_name=staff_permissions.name_of("by"))
        return named

    @admin.display(description=_("by"))
    def who(self, step: Any) -> str:
        """Return the staff member who decided it: the name, or the id of a deleted one."""
        return step.by_name or step.by or "–"


class RefundInline(ReadOnly, admin.TabularInline):
    model = Refund
    fields = ["id", "amount_money", "reason", "state", "code", "number", "payment_id"]
    readonly_fields = ["id", "amount_money"]
    extra = 0
    amount_money = money_column("amount", _("amount"))


class CountryFilter(admin.SimpleListFilter):
    """A filter by country. Its choices are the shop's countries, and come from no query of the listed table."""

    title = _("country")
    parameter_name = "country"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return countries.choices()

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(country=self.value()) if self.value() else queryset


@admin.register(Order)
class OrderAdmin(DecidingAdmin, ReadOnly, BigTable):
    list_display = [
        "number",
        "placed_at",
        "state",
        "cancel_reason",
        "total_money",
        "money_back",
        "email",
        "alarm",
    ]
    list_filter = ["needs_attention", "state", "cancel_reason", "placed_at", CountryFilter]
    looked_up_by = ["id", "number", "email", "lines__sku", "postal_code", "tracking"]
    searched_in = ["name"]
    search_help_text = _("A number, e-mail address, article number, postal code, tracking number or name")
    inlines = [LineInline, StepInline, RefundInline]
    fieldsets = [
        (None, {"fields": ["number", "state", "cancel_reason", "alarm", "placed_at", "expires_at"]}),
        (_("Money"), {"fields": ["total_money", "tax_money", "payment"]}),
        (_("Customer"), {"fields": ["email", "name", "address", "language", "customer_id"]}),
        (_("Dispatch"), {"fields": ["carrier", "tracking"]}),
    ]
    readonly_fields = ["number", "alarm", "total_money", "tax_money", "payment", "address"]
    alarm = mark_column("needs_attention", _("needs a person"))
    total_money = money_column("total", _("total"))
    tax_money = money_column("tax", _("of which VAT"))
    actions = ["cancel", "ship", "deliver", "refund_again", "looked_at"]
    action_form = SendingForm

    @admin.display(description=_("payment"))
    def payment(self, order: Order) -> str:
        if order.payment_id is None:
            return "–"
        return link_to("admin:payment_payment_change", order.payment_id, text=order.payment_id)

    @admin.display(description=_("address"))
    def address(self, order: Order) -> str:
        place = f"{order.postal_code} {order.city}"
        lines = [order.street, order.extra, place, countries.name_of(order.country)]
        return format_html_join(mark_safe("<br>"), "{}", ([line] for line in lines if line))  # a constant # nosec B308

    @admin.display(description=_("refund"))
    def money_back(self, order: Order) -> str:
        return ", ".join(str(refund.get_state_display()) for refund in order.refunds.all())

    def get_queryset(self, request: HttpRequest) -> QuerySet[Order]:
        return super().get_queryset(request).prefetch_related("refunds")

    @admin.action(description=_("Cancel, and send the money back"), permissions=["cancel"])
    def cancel(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        self._each(request, orders, lifecycle.cancel_by_staff)

    @admin.action(description=_("Mark as sent (carrier and tracking number beside)"), permissions=["ship"])
    def ship(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        carrier, tracking = (request.POST.get(name, "")[:100].strip() for name in ("carrier", "tracking"))
        self._each(request, orders, partial(lifecycle.ship, carrier=carrier, tracking=tracking))

    @admin.action(description=_("Mark as delivered"), permissions=["ship"])
    def deliver(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        self._each(request, orders, lifecycle.deliver)

    @admin.action(description=_("Try failed refunds again"), permissions=["refund"])
    def refund_again(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        failed = Refund.objects.filter(order__in=orders, state=Refund.State.FAILED)
        self._each(request, failed, refunds.ask_again, named="refund_id")

    @admin.action(description=_("A person has looked at it"), permissions=["attend"])
    def looked_at(self, request: HttpRequest, orders: QuerySet[Order]) -> None:
        self._each(request, orders, lifecycle.note_look)

    def has_view_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Require the view permission. Unlike in Django, `change_order` does not include it.

        `change_order` only allows marking an order as looked at.
        """
        return staff_permissions.may(request.user, access.VIEW)

    def has_cancel_permission(self, request: HttpRequest) -> bool:
        return staff_permissions.may(request.user, access.CANCEL)

    def has_ship_permission(self, request: HttpRequest) -> bool:
        return staff_permissions.may(request.user, access.SHIP)

    def has_refund_permission(self, request: HttpRequest) -> bool:
        return staff_permissions.may(request.user, access.REFUND)

    def has_attend_permission(self, request: HttpRequest) -> bool:
        return staff_permissions.may(request.user, access.ATTEND)

    def _each(
        self, request: HttpRequest, rows: Iterable[Any], decide: Callable[..., bool], *, named: str = "order_id"
    ) -> None:
        """Call `decide` for each row. Show how many were changed, and how many in a state that does not allow it."""
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
class OfferAdmin(ReadOnly, BigTable):
    list_display = ["name", "sku", "price_money", "for_sale", "available", "version", "stock_version"]
    list_filter = ["for_sale"]
    looked_up_by = ["sku"]
    searched_in = ["sku", "slug"]

    price_money = money_column("price", _("price"))

    @admin.display(description=_("title"))
    def name(self, offer: Offer) -> str:
        return offer.name
