"""One row of every table, and what the addresses of the site name: of one customer's order above all."""

from pathlib import Path
from typing import Any

from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.utils import timezone

from eventbus.ids import uuid7
from eventbus.schemas.site_events import site_events
from mcommerce.accounts.models import User

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
    "stations.station": {"feed": "simulator"},  # of a feed that is not in use nothing is shown
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
    try:
        return model._default_manager.create(**values, **given)
    except Exception as error:
        error.add_note(f"Say in SPECIAL of tests/permissions/sample_rows.py what {model._meta.label_lower} needs")
        raise


def _plain(field: Any) -> Any:
    if field.is_relation:
        return row(field.related_model)
    if field.choices:
        return field.choices[0][0]
    kind = field.get_internal_type()
    if kind in PLAIN:
        return PLAIN[kind]
    return {"DateTimeField": timezone.now, "UUIDField": uuid7}.get(kind, lambda: 1)()


def order_of_the_customer() -> Any:
    """Waits for its payment: it can be seen, paid and cancelled."""
    ada, order = _ada(), apps.get_model("orders.order")
    return row(order, customer_id=ada.pk, state=order.State.AWAITING_PAYMENT, number="M-234567", email=ada.email)


def names(tmp_path: Path) -> dict[str, Any]:
    """What stands in the addresses, by the name that a pattern gives it. A feature adds its own in `access_rows.py`."""
    from tests.permissions.access_table import NAMES  # which imports this module

    ada = _ada()
    found = {
        "action": "pause",
        "app_label": "accounts",
        "content_type_id": ContentType.objects.get_for_model(User).pk,
        "group": row(apps.get_model("eventbus.consumergroup")).name,
        "id": ada.pk,
        "number": row(apps.get_model("eventbus.outboxrow")).pk,
        "object_id": ada.pk,
        "order_id": uuid7(),  # nobody placed it: for payments on a site without orders
        "uidb36": ada.pk.hex,
        "wire_type": next(iter(site_events())),
    }
    for of_feature in NAMES:
        found |= of_feature(tmp_path)
    return found


def _ada() -> User:
    return User.objects.get(email="customer@example.com")
