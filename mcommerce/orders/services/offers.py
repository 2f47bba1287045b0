"""The projection of offers. Each event carries a version; an older version than the one held changes nothing."""

from uuid import UUID

from mcommerce.events import ProductPublished, ProductStockChanged, ProductWithdrawn
from mcommerce.orders.models import Offer


def keep_published(event: ProductPublished) -> None:
    """Record that the product is for sale with these words at this price."""
    fields = {
        "sku": event.sku,
        "slug": event.slug,
        "title": event.title,
        "price": event.price,
        "currency": event.currency,
        "tax_rate": event.tax_rate,
        "image": event.thumbnail or event.image,
        "for_sale": True,
    }
    _keep(event.product_id, "version", event.version, fields)


def keep_withdrawn(event: ProductWithdrawn) -> None:
    """Record that the product is no longer for sale; its words stay, for carts that hold it."""
    _keep(event.product_id, "version", event.version, {"for_sale": False})


def keep_stock(event: ProductStockChanged) -> None:
    """Record the number of free pieces, for the badge in the cart."""
    _keep(event.product_id, "stock_version", event.version, {"available": event.available})


def _keep(product_id: UUID, counter: str, version: int, fields: dict[str, object]) -> None:
    """Write `fields` unless the offer already has `version` of that counter, or a later one."""
    Offer.objects.get_or_create(product_id=product_id, defaults={"title": {}})
    Offer.objects.filter(product_id=product_id, **{f"{counter}__lt": version}).update(**{counter: version}, **fields)
