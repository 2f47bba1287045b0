"""The admin of payments: money is read here, never edited. The one action queries the payment provider again."""

from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from eventbus import clock
from eventbus.admin.model_admin import BigTable, ReadOnly
from mcommerce import staff_permissions
from mcommerce.features.links import link_to
from mcommerce.money.admin_columns import money_column
from mcommerce.payment.models import (
    Attempt,
    LedgerEntry,
    Payment,
    Refund,
    RefusedWebhooks,
    StatusChange,
    WebhookReceipt,
)
from mcommerce.payment.services import payments

ASKED_AT_ONCE_MAX = 20  # each may take seconds while the page waits


class AttemptInline(ReadOnly, admin.TabularInline):
    model = Attempt
    fields = ("started_at", "outcome", "code", "last4", "provider", "provider_ref", "checks_in_a_row")


class StatusChangeInline(ReadOnly, admin.TabularInline):
    model = StatusChange
    fields = ("version", "status", "changed_at")


class LedgerEntryInline(ReadOnly, admin.TabularInline):
    model = LedgerEntry
    fields = ("created_at", "kind", "debit", "credit", "amount_money")
    readonly_fields = ("amount_money",)
    amount_money = money_column("amount", _("amount"))


class RefundInline(ReadOnly, admin.TabularInline):
    model = Refund
    fields = ("requested_at", "amount_money", "status", "reason", "code", "number")
    readonly_fields = ("amount_money",)
    amount_money = money_column("amount", _("amount"))


class CurrencyFilter(admin.SimpleListFilter):
    """A filter by currency: the shop's own, or another one. Its choices come from no query of a big table."""

    title = _("currency")
    parameter_name = "currency"
    ANOTHER = "another"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [(settings.SHOP_CURRENCY, settings.SHOP_CURRENCY), (self.ANOTHER, _("another"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == self.ANOTHER:
            return queryset.exclude(currency=settings.SHOP_CURRENCY)
        return queryset.filter(currency=self.value()) if self.value() else queryset


@admin.register(Payment)
class PaymentAdmin(ReadOnly, BigTable):
    list_display = (
        *("number", "email", "amount_money", "status", "captured_money", "refunded_money", "alarm", "created_at"),
    )
    fields = (
        *("order", "email", "amount_money", "captured_money", "refunded_money", "status", "alarm"),
        *("created_at", "expires_at", "provider", "provider_ref"),
    )
    readonly_fields = ("order", "amount_money", "captured_money", "refunded_money", "created_at")
    list_filter = ("status", CurrencyFilter, ("alarm", admin.EmptyFieldListFilter))
    looked_up_by = ("id", "order_id", "order_number", "email", "provider_ref")
    search_help_text = _("An order’s number or id, an e-mail address, or the payment provider’s reference")
    inlines = (AttemptInline, StatusChangeInline, RefundInline, LedgerEntryInline)
    actions = ("ask_again",)

    amount_money = money_column("amount", _("amount"))
    captured_money = money_column("captured", _("captured"))
    refunded_money = money_column("refunded", _("refunded"))

    @admin.display(description=_("order"))
    def order(self, payment: Payment) -> str:
        return link_to("admin:orders_order_change", payment.order_id, text=self.number(payment))

    @admin.display(description=_("order"), ordering="order_number")
    def number(self, payment: Payment) -> str:
        return payment.order_number or str(payment.order_id)

    @admin.action(description=_("Ask the payment provider again"), permissions=["ask"])
    def ask_again(self, request: HttpRequest, queryset: QuerySet[Payment]) -> None:
        """Record the staff member, then call the provider, in no transaction. The answer may move money."""
        chosen = list(queryset[:ASKED_AT_ONCE_MAX])
        for payment in chosen:
            staff_permissions.record(request.user, payment, _("Asked the payment provider."))
            payments.ask_now(payment_id=payment.id, now=clock.now())
        asked = ngettext("Asked about %(count)d payment.", "Asked about %(count)d payments.", len(chosen))
        messages.success(request, asked % {"count": len(chosen)})

    def has_ask_permission(self, request: HttpRequest) -> bool:
        """Require `change_payment`: the provider's answer may change the payment."""
        return staff_permissions.may(request.user, "payment.change_payment")


class OfPayment(admin.ModelAdmin):
    """A list of a payment's rows. It shows the order's number and the customer's address."""

    list_select_related = ("payment",)
    amount_money = money_column("amount", _("amount"))

    @admin.display(description=_("order"))
    def number(self, row: Refund | LedgerEntry) -> str:
        return row.payment.order_number or str(row.payment.order_id)

    @admin.display(description=_("e-mail address"))
    def email(self, row: Refund | LedgerEntry) -> str:
        return row.payment.email


@admin.register(Refund)
class RefundAdmin(OfPayment, ReadOnly, BigTable):
    list_display = ("requested_at", "number", "email", "amount_money", "status", "reason", "code")
    list_filter = ("status",)
    looked_up_by = ("id", "payment__order_id", "payment__order_number", "payment__email")
    search_help_text = _("An order’s number or id, an e-mail address, or the refund’s id")
    fields = ("payment", "amount_money", "status", "reason", "code", "provider_ref", "requested_at")
    readonly_fields = ("amount_money",)


@admin.register(LedgerEntry)
class LedgerEntryAdmin(OfPayment, ReadOnly, BigTable):
    list_display = ("created_at", "number", "kind", "debit", "credit", "amount_money")
    list_filter = ("kind", CurrencyFilter, "created_at")
    ordering = ("-id",)
    looked_up_by = ("payment__order_id", "payment__order_number", "payment__email")
    search_help_text = _("An order’s number or id, or an e-mail address")
    fields = ("payment", "kind", "debit", "credit", "amount_money", "reference", "created_at")
    readonly_fields = ("amount_money",)


@admin.register(WebhookReceipt)
class WebhookReceiptAdmin(ReadOnly, BigTable):
    list_display = ("event_id", "provider", "received_at")
    search_fields = ("event_id",)


@admin.register(RefusedWebhooks)
class RefusedWebhooksAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("provider", "count", "first_at", "last_at", "reason")
