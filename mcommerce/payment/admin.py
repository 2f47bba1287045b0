"""Money is looked at here, never edited. One thing can be done: ask the payment company again."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from eventbus import clock
from mcommerce import staff
from mcommerce.payment import services
from mcommerce.payment.models import Attempt, LedgerEntry, Payment, Refund, StatusChange, WebhookReceipt

ASKED_AT_ONCE_MAX = 20  # each may take seconds while the page waits


class ReadOnly:
    """Nothing is added, changed or deleted by hand."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class AttemptInline(ReadOnly, admin.TabularInline):
    model = Attempt
    fields = ("started_at", "outcome", "code", "last4", "provider", "provider_ref", "checks_in_a_row")


class StatusChangeInline(ReadOnly, admin.TabularInline):
    model = StatusChange
    fields = ("version", "status", "changed_at")


class LedgerEntryInline(ReadOnly, admin.TabularInline):
    model = LedgerEntry
    fields = ("created_at", "kind", "debit", "credit", "amount", "currency")


class RefundInline(ReadOnly, admin.TabularInline):
    model = Refund
    fields = ("requested_at", "amount", "currency", "status", "reason", "code")


@admin.register(Payment)
class PaymentAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("order_id", "amount", "currency", "status", "captured", "refunded", "alarm", "created_at")
    list_filter = ("status", "currency", ("alarm", admin.EmptyFieldListFilter))
    search_fields = ("id", "order_id", "provider_ref")
    inlines = (AttemptInline, StatusChangeInline, RefundInline, LedgerEntryInline)
    actions = ("ask_again",)

    @admin.action(description=_("Ask the payment company again"), permissions=["ask"])
    def ask_again(self, request: HttpRequest, queryset: QuerySet[Payment]) -> None:
        payments = list(queryset[:ASKED_AT_ONCE_MAX])
        for payment in payments:
            services.ask_now(payment_id=payment.id, now=clock.now())
            staff.record(request.user, payment, _("Asked the payment company."))
        asked = ngettext("Asked about %(count)d payment.", "Asked about %(count)d payments.", len(payments))
        messages.success(request, asked % {"count": len(payments)})

    def has_ask_permission(self, request: HttpRequest) -> bool:
        """Its answer may change the payment."""
        return staff.may(request.user, "payment.change_payment")


@admin.register(Refund)
class RefundAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("id", "payment", "amount", "currency", "status", "reason", "code", "requested_at")
    list_filter = ("status",)
    list_select_related = ("payment",)
    search_fields = ("id", "payment__order_id")


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("created_at", "kind", "debit", "credit", "amount", "currency", "payment")
    list_filter = ("kind", "currency")
    list_select_related = ("payment",)


@admin.register(WebhookReceipt)
class WebhookReceiptAdmin(ReadOnly, admin.ModelAdmin):
    list_display = ("event_id", "provider", "received_at")
    search_fields = ("event_id",)
