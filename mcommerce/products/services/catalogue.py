"""Changes of the catalogue. Each is one transaction, and publishes its events."""

from datetime import datetime
from uuid import UUID

from django.db import transaction

from eventbus import Event, publish
from mcommerce.events import ProductPublished, ProductStockChanged, ProductWithdrawn
from mcommerce.products.models import OldSlug, Product, Stock


class ProductUnknown(Exception):
    """There is no product with this id."""


class ProductChangedMeanwhile(Exception):
    """Somebody else saved the product since it was read."""


@transaction.atomic
def save_product(*, product: Product, now: datetime) -> None:
    """Save the changes made to `product`; publish them if the product is or was for sale.

    Raises ProductChangedMeanwhile, and saves nothing, if `product.version` is not the newest.
    """
    before = Product.objects.select_for_update().filter(id=product.id).first()
    if (before.version if before else 0) != product.version:
        raise ProductChangedMeanwhile(product.id)
    product.version += 1
    product.changed_at = now
    product.fold_words()
    product.save(force_insert=before is None)
    Stock.objects.get_or_create(product=product)
    _lead_old_slug_here(product, before)
    if facts := _facts(product, was_for_sale=before is not None and before.published):
        publish(*facts)


@transaction.atomic
def publish_product(*, product_id: UUID, now: datetime) -> bool:
    """Put a product up for sale. Returns False if it is for sale already. Raises ProductUnknown."""
    return _turn(_locked(product_id), published=True, now=now)


@transaction.atomic
def withdraw_product(*, product_id: UUID, now: datetime) -> bool:
    """Take a product off sale, instead of deleting it. Orders already placed stand.

    Returns False if it is not for sale. Raises ProductUnknown.
    """
    return _turn(_locked(product_id), published=False, now=now)


def publish_all_again() -> int:
    """Publish each product for sale and its free pieces again, for modules that start late. Returns their number.

    The versions stay as they are. So a reader that knows a product changes nothing.
    """
    products = Product.objects.filter(published=True).order_by("id").values_list("id", flat=True)
    return sum(_publish_again(product_id) for product_id in list(products))


@transaction.atomic
def _publish_again(product_id: UUID) -> bool:
    product = _locked(product_id)
    if product.published:
        publish(_published(product), _stock_now(product))
    return product.published


def _turn(product: Product, *, published: bool, now: datetime) -> bool:
    if product.published == published:
        return False
    product.published = published
    save_product(product=product, now=now)
    return True


def _locked(product_id: UUID) -> Product:
    product = Product.objects.select_for_update().filter(id=product_id).first()
    if product is None:
        raise ProductUnknown(product_id)
    return product


def _lead_old_slug_here(product: Product, before: Product | None) -> None:
    OldSlug.objects.filter(slug=product.slug).delete()
    if before is not None and before.slug != product.slug:
        OldSlug.objects.create(slug=before.slug, product=product)


def _facts(product: Product, *, was_for_sale: bool) -> list[Event]:
    """Return the events of the change; a draft has none."""
    if not product.published:
        return [ProductWithdrawn(product_id=product.id, version=product.version)] if was_for_sale else []
    # Pieces may have come while it was a draft, whose events no reader needs.
    return [_published(product)] if was_for_sale else [_published(product), _stock_now(product)]


def _published(product: Product) -> ProductPublished:
    return ProductPublished(
        product_id=product.id,
        sku=product.sku,
        slug=product.slug,
        title={code: text for code, text in product.title.items() if text},
        price=product.price,
        currency=product.currency,
        tax_rate=product.tax_rate,
        image=product.image_url,
        thumbnail=product.cart_image_url,
        version=product.version,
    )


def _stock_now(product: Product) -> ProductStockChanged:
    stock = Stock.objects.select_for_update().get(product=product)
    return ProductStockChanged(product_id=product.id, available=stock.available, version=stock.version)
