"""One row of every table, and what the addresses of the site name: of one customer's order above all."""

from pathlib import Path
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.db import models
from django.utils import timezone

from eventbus.ids import uuid7
from mcommerce.accounts.models import Address, User
from mcommerce.orders.models import Order
from mcommerce.products.models import Product, Stock

PLAIN: dict[str, Any] = {
    "CharField": "x",
    "TextField": "x",
    "SlugField": "x",
    "EmailField": "x@example.com",
    "URLField": "https://example.com/",
    "JSONField": {"en": "x"},
    "BinaryField": b"{}",
    "FloatField": 1.0,
    "BooleanField": False,
    "FileField": "",
}


# What a constraint or a page asks for beyond the plainest values.
SPECIAL: dict[str, dict[str, Any]] = {
    "payment.ledgerentry": {"debit": "provider", "credit": "sales"},
    "stations.station": {"source": "simulator"},  # of a feed that is not in use nothing is shown
}


def row(model: Any, **given: Any) -> Any:
    """The first row of a model; where there is none, one with the plainest values that its columns take."""
    given = {**SPECIAL.get(model._meta.label_lower, {}), **given}
    there = model._default_manager.filter(**given).first()
    if there:
        return there
    values = {
        field.name: _plain(field)
        for field in model._meta.concrete_fields
        if not (field.name in given or field.null or field.has_default() or field.auto_created)
    }
    return model._default_manager.create(**values, **given)


def _plain(field: Any) -> Any:
    if field.is_relation:
        return row(field.related_model)
    if field.choices:
        return field.choices[0][0]
    kind = field.get_internal_type()
    if kind in PLAIN:
        return PLAIN[kind]
    return {"DateTimeField": timezone.now, "UUIDField": uuid7}.get(kind, lambda: 1)()


def order_of_the_customer() -> Order:
    """Waits for its payment: it can be seen, paid and cancelled."""
    ada = User.objects.get(email="customer@example.com")
    return row(Order, customer_id=ada.pk, state=Order.State.AWAITING_PAYMENT, number="M-234567", email=ada.email)


def names(tmp_path: Path) -> dict[str, Any]:
    """What stands in the addresses, by the name that a pattern gives it. A new name needs a line here."""
    ada = User.objects.get(email="customer@example.com")
    product = row(Product, published=True, slug="vase", title={"fr": "Vase"}, currency="EUR")
    row(Stock, product=product)
    picture = f"{uuid4()}-card.webp"
    (tmp_path / "pictures").mkdir(exist_ok=True)
    (tmp_path / "pictures" / picture).write_bytes(b"RIFF....WEBP")
    return {
        "slug": product.slug,
        "name": picture,
        "order_id": order_of_the_customer().pk,
        "payment_id": row(_model("payment.payment")).pk,
        "provider": "sandbox",
        "address_id": row(Address, user=ada).pk,
        "feed": settings.STATIONS_FEEDS[0],
        "contract": row(_model("stations.station")).contract,
        "number": row(_model("stations.station")).number,
        "id": ada.pk,
        "app_label": "orders",
        "content_type_id": _content_type(product).pk,
        "object_id": product.pk,
        "uidb36": ada.pk.hex,
    }


def _model(label: str) -> type[models.Model]:
    from django.apps import apps

    return apps.get_model(label)


def _content_type(of: models.Model) -> Any:
    from django.contrib.contenttypes.models import ContentType

    return ContentType.objects.get_for_model(of)
