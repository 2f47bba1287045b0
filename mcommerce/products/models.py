"""The models of the catalogue and the stock."""

from decimal import Decimal
from typing import Any
from urllib.parse import urljoin

from django.conf import settings
from django.core.files.storage import Storage, storages
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Upper
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from eventbus import clock
from eventbus.ids import uuid7
from mcommerce.products.pictures import PictureField, picture_name
from mcommerce.products.translated_texts import fold, in_language

TAX_RATE_MAX = 10_000  # basis points: 100 %


def picture_storage() -> Storage:
    """Return the storage of uploads; called late, so that settings decide."""
    return storages["default"]


class Product(models.Model):
    """A product that we sell. Change it through `services` only: they publish the change.

    `title` and `description` are texts by language: `{"fr": "Vase", "en": "Vase"}`. `version` grows by one with each
    change of the words, of the price, or of whether it is for sale.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    sku = models.CharField(_("article number"), max_length=40, unique=True)
    slug = models.SlugField(
        _("address of the page"), max_length=120, unique=True, help_text=_("The old address will lead to the new one.")
    )
    title = models.JSONField(_("title"))
    description = models.JSONField(_("description"), default=dict, blank=True)
    price = models.PositiveBigIntegerField(_("price"))  # minor units of `currency`, VAT included
    currency = models.CharField(_("currency"), max_length=3)  # ISO 4217
    tax_rate = models.PositiveIntegerField(_("VAT rate"))  # basis points
    image = models.CharField(_("drawing"), max_length=200, blank=True)  # a static path; `picture` takes precedence
    picture = PictureField(
        _("picture"),
        upload_to=picture_name,
        storage=picture_storage,
        blank=True,
        max_length=200,
        help_text=_("PNG, JPEG or WebP. What the file says of place and camera is removed."),
    )
    published = models.BooleanField(_("for sale"), default=False)
    version = models.PositiveBigIntegerField(default=0, editable=False)
    folded = models.JSONField(default=dict, editable=False)  # by language, for sorting
    words = models.TextField(default="", editable=False)  # all languages, for search
    created_at = models.DateTimeField(_("created"), default=clock.now, editable=False)
    changed_at = models.DateTimeField(_("changed"), default=clock.now, editable=False)

    class Meta:
        verbose_name = _("product")
        verbose_name_plural = _("products")
        ordering = ["sku"]
        indexes = [models.Index(Upper("sku"), name="product_by_sku")]  # staff search by it
        constraints = [
            models.CheckConstraint(condition=Q(price__gte=0), name="product_price_not_negative"),
            models.CheckConstraint(
                condition=Q(tax_rate__gte=0, tax_rate__lte=TAX_RATE_MAX), name="product_tax_rate_in_range"
            ),
            models.CheckConstraint(condition=~Q(currency=""), name="product_currency_named"),
        ]

    def __str__(self) -> str:
        return self.shown_title

    def get_absolute_url(self) -> str:
        return reverse("products:detail", args=[self.slug])

    @property
    def shown_title(self) -> str:
        """The title in the reader's language, or in the nearest one that it is written in."""
        return in_language(self.title, get_language())

    @property
    def shown_description(self) -> str:
        return in_language(self.description, get_language())

    @property
    def price_in_units(self) -> Decimal:
        """The price as people write it: 22.00."""
        return Decimal(self.price).scaleb(-2)

    @property
    def image_url(self) -> str:
        """The URL path of the picture in the size of a page, "" without one."""
        return self.image_url_in("page")

    @property
    def card_image_url(self) -> str:
        """The URL path of the picture in the size of a list."""
        return self.image_url_in("card")

    @property
    def cart_image_url(self) -> str:
        """The URL path of the picture in the size of a cart line."""
        return self.image_url_in("cart")

    def image_url_in(self, size: str) -> str:
        """Return the URL path of the picture in a size, "" without one. A drawing has only one size.

        The name has no hash, since events hold it and it must stay valid after a deployment.
        """
        if self.picture:
            picture: Any = self.picture
            return str(picture.url_in(size))
        return urljoin(settings.STATIC_URL, self.image) if self.image else ""

    def fold_words(self) -> None:
        """Set the words for search and sorting: title first, without case and accents."""
        self.folded = {
            code: fold(f"{in_language(self.title, code)}\n{in_language(self.description, code)}\n{self.sku}")
            for code, _name in settings.LANGUAGES
        }
        self.words = "\n".join(self.folded.values())


class OldSlug(models.Model):
    """A former address of a product's page. If another product takes the slug, the address is that product's."""

    slug = models.SlugField(max_length=120, primary_key=True)
    product = models.ForeignKey(Product, models.CASCADE, related_name="old_slugs")

    class Meta:
        verbose_name = _("old address")
        verbose_name_plural = _("old addresses")

    def __str__(self) -> str:
        return self.slug


class Stock(models.Model):
    """The pieces of a product. The database checks that each received piece is on the shelf, sold or written off."""

    product = models.OneToOneField(Product, models.CASCADE, primary_key=True, related_name="stock")
    received = models.PositiveBigIntegerField(_("received"), default=0)
    on_hand = models.PositiveBigIntegerField(_("on the shelf"), default=0)
    held = models.PositiveBigIntegerField(_("held for orders"), default=0)  # they are still on the shelf
    sold = models.PositiveBigIntegerField(_("sold"), default=0)
    lost = models.PositiveBigIntegerField(_("written off"), default=0)
    version = models.PositiveBigIntegerField(default=0, editable=False)

    class Meta:
        verbose_name = _("stock")
        verbose_name_plural = _("stock")
        constraints = [
            models.CheckConstraint(condition=Q(held__gte=0, held__lte=F("on_hand")), name="stock_held_is_on_hand"),
            models.CheckConstraint(
                condition=Q(received=F("on_hand") + F("sold") + F("lost")), name="stock_every_piece_is_somewhere"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.product_id}: {self.available}"

    @property
    def available(self) -> int:
        """The pieces that are not reserved."""
        return self.on_hand - self.held


class Reservation(models.Model):
    """The pieces held for an order. An order has one reservation, for ever.

    If not all of its pieces could be held, none is, and the reservation is RELEASED.
    """

    class Status(models.TextChoices):
        HELD = "held", _("held")
        COMMITTED = "committed", _("sold")
        RELEASED = "released", _("released")
        RETURNED = "returned", _("returned")

    order_id = models.UUIDField(_("order"), primary_key=True)
    status = models.CharField(_("status"), max_length=10, choices=Status)
    created_at = models.DateTimeField(_("created"))
    changed_at = models.DateTimeField(_("changed"))

    class Meta:
        verbose_name = _("reservation")
        verbose_name_plural = _("reservations")
        ordering = ["-created_at"]
        indexes = [models.Index(fields=["-created_at", "-order_id"], name="reservation_newest")]
        constraints = [
            models.CheckConstraint(
                condition=Q(status__in=["held", "committed", "released", "returned"]), name="reservation_status_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.order_id}: {self.get_status_display()}"


class ReservationLine(models.Model):
    """A number of pieces of one product in a reservation."""

    reservation = models.ForeignKey(Reservation, models.CASCADE, related_name="lines")
    product = models.ForeignKey(Product, models.PROTECT, verbose_name=_("product"), related_name="+")
    quantity = models.PositiveIntegerField(_("quantity"))

    class Meta:
        verbose_name = _("line of a reservation")
        verbose_name_plural = _("lines of a reservation")
        constraints = [
            models.UniqueConstraint(fields=["reservation", "product"], name="reservation_line_once_a_product"),
            models.CheckConstraint(condition=Q(quantity__gte=1), name="reservation_line_of_something"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} x {self.product_id}"


class StockMovement(models.Model):
    """A change of a product's stock, kept for ever."""

    class Kind(models.TextChoices):
        RECEIVED = "received", _("received")
        HELD = "held", _("held for an order")
        RELEASED = "released", _("released by an order")
        SOLD = "sold", _("sold")
        LOST = "lost", _("written off")
        RETURNED = "returned", _("returned")

    product = models.ForeignKey(Product, models.PROTECT, verbose_name=_("product"), related_name="movements")
    kind = models.CharField(_("what happened"), max_length=10, choices=Kind)
    quantity = models.PositiveIntegerField(_("quantity"))
    order_id = models.UUIDField(_("order"), null=True, blank=True)
    note = models.CharField(_("note"), max_length=200, blank=True)
    by = models.UUIDField(_("by"), null=True, blank=True)  # the staff member; None: an order did it
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("stock movement")
        verbose_name_plural = _("stock movements")
        ordering = ["-id"]
        indexes = [models.Index(fields=["order_id"], name="stock_movement_of_order")]
        constraints = [models.CheckConstraint(condition=Q(quantity__gte=1), name="stock_movement_of_something")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.quantity}"
