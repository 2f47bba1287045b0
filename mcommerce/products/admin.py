"""The admin of the catalogue and the stock. Every change goes through the services."""

from collections.abc import Callable, Iterable
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.formats import date_format
from django.utils.functional import Promise
from django.utils.html import format_html, format_html_join
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from eventbus import clock
from eventbus.admin.model_admin import BigTable, ReadOnly
from mcommerce import staff_permissions
from mcommerce.money.admin_columns import money_column
from mcommerce.products.forms import ProductForm
from mcommerce.products.models import Product, Reservation, ReservationLine, StockMovement
from mcommerce.products.services import catalogue, change_texts, search, stock

NO_PICTURE = "–"
MOVEMENTS_SHOWN = 20  # on the page of a product; the list of movements has them all


@admin.register(Product)
class ProductAdmin(BigTable):
    """Words, price, picture and stock on one page. A product is never deleted, only taken off sale."""

    form = ProductForm
    list_display = ["shown_picture", "shown_title", "sku", "price_money", "free_pieces", "published"]
    list_display_links = ["shown_picture", "shown_title"]
    list_filter = ["published"]
    list_select_related = ["stock"]
    looked_up_by = ["sku"]
    searched_in = ["words"]
    actions = ["put_up_for_sale", "take_off_sale"]
    readonly_fields = ["preview", "stock_now", "movements"]
    price_money = money_column("price", _("price"))
    save_on_top = True

    def search_words(self, rows: QuerySet[Product], text: str) -> QuerySet[Product]:
        return search.with_words(rows, text)

    def get_fieldsets(self, request: HttpRequest, obj: Product | None = None) -> Any:
        words = [f"{kind}_{code}" for kind in ("title", "description") for code, _name in settings.LANGUAGES]
        return [
            (None, {"fields": ["published", *sorted(words, key=_shop_language_first), "seen_version"]}),
            (_("Price and place"), {"fields": ["price", "tax_rate", "sku", "slug"]}),
            (_("Picture"), {"fields": ["preview", "picture", "image"]}),
            (_("Stock"), {"fields": ["stock_now", "received_now", "lost_now", "stock_note", "movements"]}),
        ]

    def save_model(self, request: HttpRequest, obj: Product, form: ProductForm, change: bool) -> None:
        now = clock.now()
        obj.currency = obj.currency or settings.SHOP_CURRENCY
        catalogue.save_product(product=obj, now=now)
        note = form.cleaned_data["stock_note"]
        if received := form.cleaned_data["received_now"]:
            stock.receive_stock(product_id=obj.id, quantity=received, now=now, note=note, by=request.user.pk)
        if lost := form.cleaned_data["lost_now"]:
            stock.write_off_stock(product_id=obj.id, quantity=lost, now=now, note=note, by=request.user.pk)

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        """Return the message for the admin's history. It names the old price, which nothing else remembers."""
        return super().construct_change_message(request, form, formsets, add) if add else change_texts.told(form)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().changeform_view(request, *args, **kwargs)
        except catalogue.ProductChangedMeanwhile:
            messages.error(request, _("Somebody else saved this product meanwhile. Nothing of yours was kept."))
        except stock.NotEnoughThere:
            messages.error(request, _("Pieces were sold meanwhile, so fewer are free. Nothing of yours was kept."))
        return HttpResponseRedirect(request.path)

    def has_delete_permission(self, request: HttpRequest, obj: Product | None = None) -> bool:
        return False

    @admin.action(description=_("Put up for sale"), permissions=["change"])
    def put_up_for_sale(self, request: HttpRequest, chosen: QuerySet[Product]) -> None:
        self._turn(request, chosen, catalogue.publish_product, _("Put up for sale."))
        said = ngettext("%d product is for sale.", "%d products are for sale.", len(chosen)) % len(chosen)
        messages.success(request, said)

    @admin.action(description=_("Take off sale"), permissions=["change"])
    def take_off_sale(self, request: HttpRequest, chosen: QuerySet[Product]) -> None:
        self._turn(request, chosen, catalogue.withdraw_product, _("Taken off sale."))
        said = ngettext("%d product is off sale.", "%d products are off sale.", len(chosen)) % len(chosen)
        messages.success(request, said)

    def _turn(
        self, request: HttpRequest, chosen: Iterable[Product], turn: Callable[..., bool], said: str | Promise
    ) -> None:
        """Change each product, in order of ids, as everywhere where several rows are locked."""
        for product in sorted(chosen, key=lambda product: product.id):
            with transaction.atomic():
                if turn(product_id=product.id, now=clock.now()):
                    staff_permissions.record(request.user, product, said)

    @admin.display(description=_("picture"))
    def shown_picture(self, product: Product) -> str:
        return _picture(product, "cart", 48)

    @admin.display(description=_("picture"))
    def preview(self, product: Product) -> str:
        kept = Product.objects.filter(id=product.id).first()  # not the one just sent, which may be refused
        return _picture(kept, "card", 240) if kept else NO_PICTURE

    @admin.display(description=_("title"))
    def shown_title(self, product: Product) -> str:
        return product.shown_title

    @admin.display(description=_("free pieces"))
    def free_pieces(self, product: Product) -> int:
        return product.stock.available

    @admin.display(description=_("now"))
    def stock_now(self, product: Product) -> str:
        if not product.version:
            return "0"
        pieces = product.stock
        return _("%(free)d free, %(held)d held for orders, %(sold)d sold, %(lost)d written off") % {
            "free": pieces.available,
            "held": pieces.held,
            "sold": pieces.sold,
            "lost": pieces.lost,
        }

    @admin.display(description=_("latest movements"))
    def movements(self, product: Product) -> str:
        all_rows: QuerySet[Any] = product.movements.annotate(by_name=staff_permissions.name_of("by"))
        rows = all_rows[:MOVEMENTS_SHOWN] if product.version else []
        if not rows:
            return str(_("No movement yet."))
        cells = (
            (
                date_format(localtime(row.at), "SHORT_DATETIME_FORMAT"),
                row.get_kind_display(),
                row.quantity,
                row.note or row.order_id or "",
                row.by_name or row.by or "",
            )
            for row in rows
        )
        names = [_("at"), _("what happened"), _("quantity"), _("note"), _("by")]
        head = format_html_join("", "<th>{}</th>", [[name] for name in names])
        body = format_html_join("", f"<tr>{'<td>{}</td>' * len(names)}</tr>", cells)
        return format_html("<table><thead><tr>{}</tr></thead><tbody>{}</tbody></table>", head, body)


class ReservationLines(ReadOnly, admin.TabularInline):
    model = ReservationLine


@admin.register(Reservation)
class ReservationAdmin(ReadOnly, BigTable):
    """The pieces held for each order."""

    list_display = ["order_id", "status", "created_at", "changed_at"]
    list_filter = ["status"]
    looked_up_by = ["order_id"]
    inlines = [ReservationLines]


@admin.register(StockMovement)
class StockMovementAdmin(ReadOnly, BigTable):
    """Every change of the stock, newest first."""

    list_display = ["at", "product", "kind", "quantity", "order_id", "note", "who"]
    list_filter = ["kind", "at"]
    list_select_related = ["product"]
    looked_up_by = ["order_id", "product__sku"]
    searched_in = ["note"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request)
        named: QuerySet[Any] = rows.annotate(by_name=staff_permissions.name_of("by"))
        return named

    @admin.display(description=_("by"))
    def who(self, movement: Any) -> str:
        return movement.by_name or movement.by or "–"


def _shop_language_first(field: str) -> tuple[bool, bool]:
    kind, _underscore, code = field.rpartition("_")
    return code != settings.SHOP_LANGUAGE, kind != "title"


def _picture(product: Product, size: str, pixels: int) -> str:
    url = product.image_url_in(size)
    return format_html('<img src="{}" alt="" width="{}" height="{}">', url, pixels, pixels) if url else NO_PICTURE
