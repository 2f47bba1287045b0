"""The models of the payments. Amounts are minor units of an ISO currency; orders are known by id only."""

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Upper
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from eventbus.ids import uuid7
from eventbus.tracing.continuing import TRACE_CHARACTERS
from mcommerce.money.template_filters import money

# Sessions that one order may open. Each ends before the next begins: no shopper reaches this limit, but a robot does.
ATTEMPTS_MAX = 20


class Payment(models.Model):
    """The payment of one order. There is one per order, so an order is paid at most once."""

    class Status(models.TextChoices):
        NEW = "new", _("not paid yet")
        ACTION_REQUIRED = "action_required", _("waiting for the bank's approval")
        PROCESSING = "processing", _("at the payment provider")
        SUCCEEDED = "succeeded", pgettext_lazy("payment", "paid")
        CANCELLED = "cancelled", pgettext_lazy("payment", "cancelled")
        UNKNOWN = "unknown", _("no answer yet")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    order_id = models.UUIDField(_("order"), unique=True)
    order_number = models.CharField(_("order number"), max_length=20, blank=True)  # the one that people use
    email = models.EmailField(_("e-mail address"), blank=True)  # the customer's
    amount = models.PositiveBigIntegerField(_("amount"))
    currency = models.CharField(_("currency"), max_length=3)
    status = models.CharField(_("status"), max_length=20, choices=Status.choices, default=Status.NEW)
    version = models.PositiveIntegerField(_("version"), default=1)
    expires_at = models.DateTimeField(_("to be paid before"))
    provider = models.CharField(_("payment provider"), max_length=30)
    provider_ref = models.CharField(_("its reference"), max_length=100, blank=True)
    captured = models.PositiveBigIntegerField(_("captured"), default=0)
    refunded = models.PositiveBigIntegerField(_("refunded"), default=0, help_text=_("Given back, or promised to be."))
    alarm = models.CharField(_("alarm"), max_length=200, blank=True, help_text=_("Why a person must look at this."))
    # Of the request that placed the order: webhooks and checks, which know only the payment, continue it
    trace = models.CharField(_("trace"), max_length=TRACE_CHARACTERS, blank=True, editable=False)
    created_at = models.DateTimeField(_("opened"), auto_now_add=True)

    class Meta:
        verbose_name = _("payment")
        verbose_name_plural = _("payments")
        ordering = ("-created_at",)
        indexes = [
            models.Index(fields=["-created_at", "-id"], name="payment_newest"),
            # The columns that staff search by; the case does not matter
            models.Index(Upper("order_number"), name="payment_by_order_number"),
            models.Index(Upper("email"), name="payment_by_email"),
            models.Index(Upper("provider_ref"), name="payment_by_provider_ref"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(amount__gt=0), name="payment_amount_positive"),
            models.CheckConstraint(condition=Q(refunded__lte=F("captured")), name="payment_refunded_within_captured"),
            models.CheckConstraint(
                condition=~Q(status="succeeded") | Q(captured__gt=0), name="payment_success_has_captured"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.order_number or self.order_id}: {self.get_status_display()}"


# The statuses that each status may follow. A cancelled payment moves only if the money was already taken.
ARRIVES_FROM = {
    Payment.Status.NEW: ("action_required", "processing", "unknown"),
    Payment.Status.ACTION_REQUIRED: ("new", "processing", "unknown"),
    Payment.Status.PROCESSING: ("new", "action_required", "unknown"),
    Payment.Status.UNKNOWN: ("new", "action_required", "processing"),
    Payment.Status.CANCELLED: ("new", "action_required", "processing", "unknown"),
    Payment.Status.SUCCEEDED: ("new", "action_required", "processing", "unknown", "cancelled"),
}


class StatusChange(models.Model):
    """A change of a payment's status."""

    payment = models.ForeignKey(Payment, models.CASCADE, related_name="changes", verbose_name=_("payment"))
    status = models.CharField(_("status"), max_length=20, choices=Payment.Status.choices)
    version = models.PositiveIntegerField(_("version"))
    changed_at = models.DateTimeField(_("changed"))

    class Meta:
        verbose_name = _("status change")
        verbose_name_plural = _("status changes")
        ordering = ("payment", "version")
        constraints = [models.UniqueConstraint(fields=["payment", "version"], name="statuschange_once_per_version")]

    def __str__(self) -> str:
        return f"{self.version}: {self.get_status_display()}"


class Attempt(models.Model):
    """One session at the payment provider, in which a shopper may try several cards. At most one is open per payment.

    The row is committed before the provider is called. So its idempotency key is known even if the answer is lost.
    """

    class Outcome(models.TextChoices):
        OPEN = "open", _("waiting for a card")
        ACTION_REQUIRED = "action_required", _("waiting for the bank's approval")
        SUCCEEDED = "succeeded", pgettext_lazy("payment", "paid")
        EXPIRED = "expired", pgettext_lazy("payment", "expired")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    payment = models.ForeignKey(Payment, models.PROTECT, related_name="attempts", verbose_name=_("payment"))
    outcome = models.CharField(_("outcome"), max_length=20, choices=Outcome.choices, default=Outcome.OPEN)
    code = models.CharField(_("last refusal"), max_length=50, blank=True)
    last4 = models.CharField(_("last four digits"), max_length=4, blank=True)
    provider = models.CharField(_("payment provider"), max_length=30)
    provider_ref = models.CharField(_("its reference"), max_length=100, blank=True)
    revision = models.PositiveIntegerField(_("revision"), default=0, help_text=_("The newest state we heard of."))
    url = models.URLField(_("page to pay at"), max_length=500, blank=True)
    site_url = models.URLField(_("our address"), max_length=300)
    language = models.CharField(_("language"), max_length=10)
    check_number = models.PositiveIntegerField(
        _("check number"), default=0, help_text=_("Only the newest check counts.")
    )
    checks_in_a_row = models.PositiveIntegerField(_("checks in a row"), default=0)
    started_at = models.DateTimeField(_("started"))

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        ordering = ("started_at",)
        constraints = [
            models.UniqueConstraint(
                fields=["payment"], condition=Q(outcome__in=["open", "action_required"]), name="attempt_one_open"
            ),
            models.UniqueConstraint(
                fields=["provider", "provider_ref"], condition=~Q(provider_ref=""), name="attempt_one_per_session"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.provider} {self.provider_ref or self.id}"

    @property
    def idempotency_key(self) -> str:
        return f"attempt-{self.id}"

    @property
    def is_open(self) -> bool:
        return self.outcome in (Attempt.Outcome.OPEN, Attempt.Outcome.ACTION_REQUIRED)


class Refund(models.Model):
    """A refund. The id comes from the request and is the provider's idempotency key: the same id pays back once."""

    class Status(models.TextChoices):
        REQUESTED = "requested", pgettext_lazy("payment", "requested")
        SUCCEEDED = "succeeded", pgettext_lazy("payment", "refunded")
        FAILED = "failed", pgettext_lazy("payment", "failed")

    id = models.UUIDField(primary_key=True, editable=False)
    payment = models.ForeignKey(Payment, models.PROTECT, related_name="refunds", verbose_name=_("payment"))
    amount = models.PositiveBigIntegerField(_("amount"))
    currency = models.CharField(_("currency"), max_length=3)
    status = models.CharField(_("status"), max_length=20, choices=Status.choices, default=Status.REQUESTED)
    reason = models.CharField(_("reason"), max_length=50, blank=True)
    code = models.CharField(_("why it failed"), max_length=50, blank=True)  # or "already_refunded"
    number = models.PositiveIntegerField(_("times asked"), default=1)
    provider_ref = models.CharField(_("its reference"), max_length=100, blank=True)
    requested_at = models.DateTimeField(_("requested"))

    class Meta:
        verbose_name = _("refund")
        verbose_name_plural = _("refunds")
        ordering = ("-requested_at",)
        indexes = [models.Index(fields=["-requested_at", "-id"], name="refund_newest")]
        constraints = [models.CheckConstraint(condition=Q(amount__gt=0), name="refund_amount_positive")]

    def __str__(self) -> str:
        return f"{self.id}: {self.get_status_display()}"


class LedgerEntry(models.Model):
    """A transfer between two accounts: one row debits and credits the same amount, so the books always balance."""

    class Account(models.TextChoices):
        CUSTOMER = "customer", _("customers")
        PROVIDER = "provider", _("held by the payment provider")

    class Kind(models.TextChoices):
        CAPTURE = "capture", pgettext_lazy("payment", "captured")
        REFUND = "refund", pgettext_lazy("payment", "refunded")

    payment = models.ForeignKey(Payment, models.PROTECT, related_name="entries", verbose_name=_("payment"))
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    reference = models.UUIDField(_("entered for"), help_text=_("The attempt that captured it, or the refund."))
    debit = models.CharField(_("debited account"), max_length=20, choices=Account.choices)
    credit = models.CharField(_("credited account"), max_length=20, choices=Account.choices)
    amount = models.PositiveBigIntegerField(_("amount"))
    currency = models.CharField(_("currency"), max_length=3)
    created_at = models.DateTimeField(_("entered"))

    class Meta:
        verbose_name = _("ledger entry")
        verbose_name_plural = _("ledger entries")
        ordering = ("id",)
        constraints = [
            models.UniqueConstraint(fields=["kind", "reference"], name="ledgerentry_once"),
            models.CheckConstraint(condition=Q(amount__gt=0), name="ledgerentry_amount_positive"),
            models.CheckConstraint(condition=~Q(debit=F("credit")), name="ledgerentry_two_accounts"),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {money(self.amount, self.currency)}"


class WebhookReceipt(models.Model):
    """A received webhook. A repeat of it changes nothing."""

    provider = models.CharField(_("payment provider"), max_length=30)
    event_id = models.CharField(_("event"), max_length=100)
    received_at = models.DateTimeField(_("received"))

    class Meta:
        verbose_name = _("webhook receipt")
        verbose_name_plural = _("webhook receipts")
        constraints = [models.UniqueConstraint(fields=["provider", "event_id"], name="webhookreceipt_once")]

    def __str__(self) -> str:
        return self.event_id


class RefusedWebhooks(models.Model):
    """The webhooks of a provider that were refused since the last accepted one: one row, however many came."""

    REASON_CHARACTERS_MAX = 200

    provider = models.CharField(_("payment provider"), max_length=30, primary_key=True)
    count = models.PositiveIntegerField(_("refused"), default=1)
    first_at = models.DateTimeField(_("first refused"))
    last_at = models.DateTimeField(_("last refused"))
    reason = models.CharField(_("last reason"), max_length=REASON_CHARACTERS_MAX)

    class Meta:
        verbose_name = _("refused webhooks")
        verbose_name_plural = _("refused webhooks")

    def __str__(self) -> str:
        return self.provider
