"""Who may use the addresses, tables and sockets of the catalogue and the stock. `tests/permissions` tries each row."""

from pathlib import Path
from typing import Any
from uuid import uuid4

from django.contrib.contenttypes.models import ContentType

from mcommerce.products.models import Product, Stock
from tests.permissions import sample_rows
from tests.permissions.access_needs import ALL, Desk, Route, permission

ROUTES: dict[str, Route] = {
    "products:list": Route(get=ALL),
    "products:detail": Route(get=ALL),
    "products:picture": Route(get=ALL),
}

DESK: dict[str, Desk] = {
    "products.product": Desk(
        add=permission("products.add_product"),
        change=permission("products.change_product"),
        data={"title_fr": "Cheval", "sku": "HORSE", "price": "19.90", "tax_rate": "20", "seen_version": 0},
        actions={
            "put_up_for_sale": permission("products.change_product"),
            "take_off_sale": permission("products.change_product"),
        },
    ),
    "products.reservation": Desk(),
    "products.stockmovement": Desk(),
}


def names(tmp_path: Path) -> dict[str, Any]:
    """A product for sale, with a picture."""
    product = sample_rows.row(Product, published=True, slug="vase", title={"fr": "Vase"}, currency="EUR")
    sample_rows.row(Stock, product=product)
    picture = f"{uuid4()}-card.webp"
    (tmp_path / "pictures").mkdir(exist_ok=True)
    (tmp_path / "pictures" / picture).write_bytes(b"RIFF....WEBP")
    shown = {"content_type_id": ContentType.objects.get_for_model(product).pk, "object_id": product.pk}
    return {"slug": product.slug, "name": picture, **shown}
