"""The models of offers, carts, and orders with their history."""

import secrets
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import models
from django.db.models.functions import Upper
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from eventbus.ids import uuid7
from mcommerce.events import CancelReason, RefundReason
from mcommerce.money.template_filters import money

NUMBER_LETTERS = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # none sounds like another when read aloud
NUMBER_LENGTH = 6  # 729 million numbers: short enough to say on the phone, too many to count a shop's orders by


def order_number() -> str:
    """Return a fresh number for people, such as `M-4G7K2Q`. It is random, so it hides how much the shop sells."""
    return "M-" + "".join(secrets.choice(NUMBER_LETTERS) for _place in range(NUMBER_LENGTH))


CANCEL_REASONS = {  # in the words of the admin; the customer's are in `views.order_page`
    CancelReason.STOCK_REJECTED: _("not enough in stock"),
    CancelReason.PAYMENT_TIMEOUT: _("not paid in time"),
    CancelReason.CUSTOMER: _("the customer’s wish"),
    CancelReason.STAFF: _("our decision"),
    CancelReason.STOCK_LOST: _("goods not found"),
}


REFUND_REASONS = {  # in the words of the admin
    RefundReason.CANCELLED: _("cancelled by us"),
    RefundReason.PAID_AFTER_CANCELLATION: _("paid after the cancellation"),
    RefundReason.PAID_TWICE: _("paid twice"),
    RefundReason.AMOUNT_MISMATCH: _("another sum than the order’s"),
    RefundReason.STOCK_LOST: _("goods not found"),
    RefundReason.RETURNED: _("sent back"),
}


class Titled(models.Model):
    """A base of models with a title per language, as the merchant wrote it."""

    title = models.JSONField(_("title"))  # {"fr": "Vase", "en": "Vase"}

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """The title in the reader's language, else in the shop's first, else in any."""
        spoken = (get_language() or "").partition("-")[0]
        return self.title.get(spoken) or self.title.get(settings.SHOP_LANGUAGE) or next(iter(self.title.values()), "")


class Offer(Titled):
    """A product as the orders know it: a projection of the products' events. The newer version wins."""

    product_id = models.UUIDField(primary_key=True)
    sku = models.CharField(_("article number"), max_length=64, blank=True)
    slug = models.CharField(_("address of its page"), max_length=200, blank=True)
    price = models.PositiveBigIntegerField(_("price"), default=0)  # minor units, VAT included
    currency = models.CharField(_("currency"), max_length=3, blank=True)
    tax_rate = models.PositiveIntegerField(_("VAT rate"), default=0)  # basis points
    image = models.CharField(_("picture"), max_length=500, blank=True)
    for_sale = models.BooleanField(_("for sale"), default=False)
    version = models.BigIntegerField(_("version"), default=-1)  # -1: only its stock is known yet
    available = models.IntegerField(_("free pieces"), null=True)  # for the badge only; None: unknown
    stock_version = models.BigIntegerField(_("version of the stock"), default=-1)

    class Meta:
        verbose_name = _("offer")
        verbose_name_plural = _("offers")
        indexes = [models.Index(Upper("sku"), name="offer_by_sku")]


class Cart(models.Model):
    """The cart of one visitor. A signed cookie names a guest's, the customer's id a customer's."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)  # not uuid7, which reveals its time
    customer_id = models.UUIDField(null=True, unique=True)  # None: a guest's
    changed_at = models.DateTimeField()
    # The customer's cart that took a guest's lines at sign-in. Orders of the guest's cart give lines back to it.
    poured_into = models.ForeignKey("self", models.SET_NULL, null=True, related_name="+")
    # The orders whose lines came back, until the shopper decides about them.
    came_back: Any = models.ManyToManyField("Order", related_name="+")
    # The latest requests that added something: a browser may repeat one that got no answer.
    request_ids = models.JSONField(default=list)

    class Meta:
        verbose_name = _("cart")
        verbose_name_plural = _("carts")
        indexes = [models.Index(fields=["changed_at"], name="cart_by_change")]

    def __str__(self) -> str:
        return str(self.id)


class CartLine(models.Model):
    """A number of pieces of a product, at the price the shopper last agreed to."""

    cart = models.ForeignKey(Cart, models.CASCADE, related_name="lines")
    product_id = models.UUIDField()
    quantity = models.PositiveIntegerField()
    agreed_price = models.PositiveBigIntegerField()  # minor units
    agreed_currency = models.CharField(max_length=3)

    class Meta:
        verbose_name = _("cart line")
        verbose_name_plural = _("cart lines")
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["cart", "product_id"], name="cart_line_once_per_product"),
            models.CheckConstraint(condition=models.Q(quantity__gte=1), name="cart_line_of_something"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.product_id}"


class Order(models.Model):
    """A purchase and its state. Only the transitions in `services` change it."""

    class State(models.TextChoices):
        PLACED = "placed", _("Placed")
        AWAITING_PAYMENT = "awaiting_payment", _("Awaiting payment")
        CLOSING = "closing", _("Checking the payment")
        PAID = "paid", _("Paid")
        SHIPPED = "shipped", _("On its way")
        DELIVERED = "delivered", _("Delivered")
        CANCELLED = "cancelled", _("Cancelled")

    class PaymentStatus(models.TextChoices):
        """The last known status of the payment. It decides whether the order can be paid now."""

        NOT_OPEN = "", _("not open yet")
        OPEN = "open", _("open")
        IN_DOUBT = "in_doubt", _("in doubt")
        TRIED_OUT = "tried_out", _("no further try")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    number = models.CharField(_("number"), max_length=12, unique=True, default=order_number, editable=False)
    state = models.CharField(_("state"), max_length=20, choices=State, default=State.PLACED)
    cancel_reason = models.CharField(_("reason"), max_length=20, blank=True, choices=list(CANCEL_REASONS.items()))
    customer_id = models.UUIDField(_("customer"), null=True, blank=True)  # None: a guest's
    cart_id = models.UUIDField(null=True, editable=False)  # where its lines came from, and go back to
    email = models.EmailField(_("e-mail address"))
    name = models.CharField(_("name"), max_length=150)
    street = models.CharField(_("street and number"), max_length=200)
    extra = models.CharField(_("building, floor, care of"), max_length=200, blank=True)
    postal_code = models.CharField(_("postal code"), max_length=20)
    city = models.CharField(_("city"), max_length=100)
    country = models.CharField(_("country"), max_length=2)  # ISO 3166-1 alpha-2
    language = models.CharField(_("language"), max_length=10)
    currency = models.CharField(_("currency"), max_length=3)
    total = models.PositiveBigIntegerField(_("total"))  # minor units, VAT included
    tax = models.PositiveBigIntegerField(_("of which VAT"))  # minor units; the sum of the lines' rounded VAT
    placed_at = models.DateTimeField(_("placed"))
    expires_at = models.DateTimeField(_("to be paid before"))
    payment_id = models.UUIDField(_("payment"), null=True, blank=True)  # the one that paid it
    payment_status = models.CharField(
        _("can be paid"), max_length=10, choices=PaymentStatus, blank=True, default=PaymentStatus.NOT_OPEN
    )
    carrier = models.CharField(_("carrier"), max_length=100, blank=True)
    tracking = models.CharField(_("tracking number"), max_length=100, blank=True)
    needs_attention = models.BooleanField(_("needs a person"), default=False)  # the alarm, such as for a wrong sum
    version = models.PositiveIntegerField(default=1)  # grows with each change that its page shows
    checkout_token = models.UUIDField(unique=True, editable=False)  # of its form: a repeated submit gives one order
    # A keyed hash of the buyer's network: see `services.held_stock`
    placed_from = models.CharField(max_length=32, blank=True, editable=False)

    class Meta:
        verbose_name = _("order")
        verbose_name_plural = _("orders")
        ordering = ["-placed_at", "-id"]
        permissions = [
            ("cancel_order", "Can cancel orders, and have what was paid sent back"),
            ("ship_order", "Can mark orders as sent and as delivered"),
            ("refund_order", "Can send money of orders back"),
        ]
        indexes = [
            models.Index(fields=["customer_id", "-placed_at"], name="order_of_customer"),
            models.Index(fields=["placed_from", "-placed_at"], name="order_of_network"),
            models.Index(fields=["-placed_at", "-id"], name="order_newest"),  # the admin's list
            # The columns that staff search by; the case does not matter
            models.Index(Upper("number"), name="order_by_number"),
            models.Index(Upper("email"), name="order_by_email"),
            models.Index(Upper("postal_code"), name="order_by_postal_code"),
            models.Index(Upper("tracking"), name="order_by_tracking"),
        ]
        constraints = [
            models.CheckConstraint(condition=models.Q(tax__lte=models.F("total")), name="order_tax_within_total"),
        ]

    def __str__(self) -> str:
        return self.number


class OrderLine(Titled):
    """A bought product, with the title and the price that it had when it was ordered."""

    order = models.ForeignKey(Order, models.CASCADE, related_name="lines")
    product_id = models.UUIDField(_("product"))
    sku = models.CharField(_("article number"), max_length=64)
    slug = models.CharField(max_length=200)
    image = models.CharField(max_length=500, blank=True)
    quantity = models.PositiveIntegerField(_("quantity"))
    unit_price = models.PositiveBigIntegerField(_("unit price"))  # minor units, VAT included
    tax_rate = models.PositiveIntegerField(_("VAT rate"))  # basis points
    total = models.PositiveBigIntegerField(_("total"))  # minor units, VAT included
    tax = models.PositiveBigIntegerField(_("of which VAT"))  # minor units, rounded half up
    free_pieces = models.PositiveIntegerField(null=True, editable=False)  # too few at the refusal; None: not short
    given_back = models.PositiveIntegerField(null=True, editable=False)  # pieces in the cart again; None: no cart

    class Meta:
        verbose_name = _("order line")
        verbose_name_plural = _("order lines")
        ordering = ["id"]
        indexes = [models.Index(Upper("sku"), name="order_line_by_sku")]  # staff search by it
        constraints = [
            models.UniqueConstraint(fields=["order", "product_id"], name="order_line_once_per_product"),
            models.CheckConstraint(condition=models.Q(quantity__gte=1), name="order_line_of_something"),
        ]


class OrderStep(models.Model):
    """A step in an order's history, never changed."""

    class Kind(models.TextChoices):
        PLACED = "placed", _("Order placed")
        RESERVED = "reserved", _("Everything is set aside for you")
        CONFIRMATION_ASKED = "confirmation_asked", _("Your bank asked you to confirm the payment")
        DECLINED = "declined", _("A payment did not go through")
        IN_DOUBT = "in_doubt", _("The payment provider did not answer; we are asking whether you paid")
        DOUBT_CLEARED = "doubt_cleared", _("The payment provider says that nothing was paid yet")
        OVERDUE = "overdue", _("The time to pay was over; we are asking the payment provider whether you paid")
        PAID = "paid", _("Paid")
        CANCELLED = "cancelled", _("Cancelled")
        REFUND_REQUESTED = "refund_requested", _("Your money is on its way back")
        REFUNDED = "refunded", _("Your money was sent back")
        REFUND_FAILED = "refund_failed", _("Sending your money back failed; we are looking into it")
        SHIPPED = "shipped", _("On its way to you")
        DELIVERED = "delivered", _("Delivered")
        RETURNED = "returned", _("Your things came back to us")
        MAILED = "mailed", _("We wrote to you")
        LOOKED_AT = "looked_at", _("A person has looked at it")

    order = models.ForeignKey(Order, models.CASCADE, related_name="steps")
    at = models.DateTimeField(_("at"))
    kind = models.CharField(_("what happened"), max_length=20, choices=Kind)
    detail = models.CharField(_("detail"), max_length=200, blank=True)  # a reason or code, for machines and staff
    by = models.UUIDField(_("by"), null=True, blank=True)  # the staff member who decided it; customers do not see it

    class Meta:
        verbose_name = _("step")
        verbose_name_plural = _("history")
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.kind} {self.detail}".strip()


class Refund(models.Model):
    """A refund of an order's money. A payment has at most one, and the provider knows it by its id."""

    class State(models.TextChoices):
        REQUESTED = "requested", _("Requested")
        REFUNDED = "refunded", _("Refunded")
        FAILED = "failed", _("Failed")

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    order = models.ForeignKey(Order, models.CASCADE, related_name="refunds")
    payment_id = models.UUIDField(_("payment"), unique=True)
    amount = models.PositiveBigIntegerField(_("amount"))  # minor units
    currency = models.CharField(_("currency"), max_length=3)
    reason = models.CharField(_("reason"), max_length=30, choices=list(REFUND_REASONS.items()))
    state = models.CharField(_("state"), max_length=20, choices=State, default=State.REQUESTED)
    code = models.CharField(_("provider’s code"), max_length=100, blank=True)  # why it failed
    number = models.PositiveIntegerField(_("times asked"), default=1)

    class Meta:
        verbose_name = _("refund")
        verbose_name_plural = _("refunds")
        ordering = ["id"]

    def __str__(self) -> str:
        return money(self.amount, self.currency)
