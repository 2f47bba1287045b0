"""Fill every table that the desk lists, so that its lists can be measured.

A field gets its default, else a value by its kind; `FITTING` has what the tables' constraints want otherwise.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from uuid import UUID, uuid5

from django.apps import apps
from django.contrib import admin
from django.db import connection, models
from django.db.models import Model

BATCH = 2_000  # rows of one statement
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
NAMES = UUID("01a22470-0000-7000-8000-000000000000")
TEXT_LENGTH = 12  # characters, as words of a shop have

FITTING: dict[str, Callable[[int], dict[str, Any]]] = {
    "products.Product": lambda i: {
        "sku": f"VASE-{i}",
        "slug": f"vase-{i}",
        "title": {"fr": f"Vase bavard {i}", "en": f"Talking vase {i}"},
        "description": {"fr": "Un vase qui parle. " * 8, "en": "A vase that talks. " * 8},
        "folded": {"fr": f"vase bavard {i}\n" + "un vase qui parle. " * 8, "en": f"talking vase {i}\n"},
        "words": f"vase bavard {i}\n{'un vase qui parle. ' * 8}\ntalking vase {i}",
        "currency": "EUR",
        "image": "",
        "picture": "",
        "published": i % 3 > 0,
    },
    "products.StockMovement": lambda i: {"order_id": uuid_of(i)},
    "orders.Offer": lambda i: {"title": {"fr": f"Vase {i}", "en": f"Vase {i}"}, "sku": f"VASE-{i}"},
    "orders.Order": lambda i: {
        "number": f"M-{i:06d}",
        "email": f"ada-{i}@example.com",
        "name": f"Ada Lovelace {i}",
        "postal_code": f"{i % 100_000:05d}",
        "tracking": f"6A{i:09d}",
        "country": "FR",
        "currency": "EUR",
        "total": 1_900,
        "tax": 300,
    },
    "orders.OrderLine": lambda i: {"title": {"fr": "Vase", "en": "Vase"}, "sku": f"VASE-{i}"},
    "payment.Payment": lambda i: {
        "order_number": f"M-{i:06d}",
        "amount": 1_900,
        "currency": "EUR",
        "captured": 1_900,
        "alarm": "",
    },
    "payment.Refund": lambda i: {"currency": "EUR"},
    "payment.LedgerEntry": lambda i: {"debit": "provider", "credit": "customer", "currency": "EUR"},
    "stations.Station": lambda i: {
        "contract": f"city-{i % 40}",
        "feed": "jcdecaux",
        "station_id": f"city-{i % 40}-{i}",
        "status": "OPEN",
        "number": i,
        "lat": 45,
        "lng": 5,
    },
    "stations.PollRun": lambda i: {"feed": f"feed-{i % 5}"},
    "eventbus.OutboxRow": lambda i: {"rejected": "", "partition": 0, "offset": i, "appended_at": BEGIN},
}
ALSO = ("products.Stock", "orders.OrderLine")  # what lists read of tables that have none of their own
FEW = 50  # rows of tables that never grow with the shop
SMALL = {"auth.Group", "eventbus.ConsumerGroup", "eventbus.LeaseRow", "eventbus.ProcessRow", "eventbus.Progress"}
ONE = {"stations.RemarkBox"}  # tables of a single row
SMALL |= {"stations.PollPlan", "eventbus.ReplayRun", "eventbus.TopicLog"}


def fill(count: int, *, but: str = "") -> None:
    """Bring every table of the desk to so many rows, those that stay small to a few. `but`: not those of this app."""
    done: dict[type[Model], list[Any]] = {}
    for model in [*(one for one in admin.site._registry if one._meta.app_label != but), *map(apps.get_model, ALSO)]:
        _fill(model, count, done)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")


def uuid_of(i: int) -> UUID:
    """An id that another app's row has too."""
    return uuid5(NAMES, str(i))


def _fill(model: type[Model], count: int, done: dict[type[Model], list[Any]]) -> list[Any]:
    """The keys of the table's rows, in order."""
    if model in done:
        return done[model]
    done[model] = []
    for field in model._meta.concrete_fields:
        if field.is_relation:
            _fill(field.related_model, count, done)
    wanted = 1 if model._meta.label in ONE else FEW if model._meta.label in SMALL else count
    rows = (model(**_values(model, i, done)) for i in range(model._default_manager.count(), wanted))
    for batch in _batches(rows):
        model._default_manager.bulk_create(batch)
    done[model] = list(model._default_manager.order_by("pk").values_list("pk", flat=True))
    return done[model]


def _batches(rows: Iterator[Model]) -> Iterator[list[Model]]:
    while batch := list(islice(rows, BATCH)):
        yield batch


def _values(model: type[Model], i: int, done: dict[type[Model], list[Any]]) -> dict[str, Any]:
    values = {field.attname: _value(field, i, done) for field in _to_fill(model._meta.concrete_fields)}
    return values | FITTING.get(model._meta.label, lambda _i: {})(i)


def _to_fill(fields: Iterable[Any]) -> Iterator[Any]:
    for field in fields:
        is_key = isinstance(field, models.AutoField)
        if not is_key and not field.has_default() and not (field.null and not field.is_relation):
            yield field


def _value(field: Any, i: int, done: dict[type[Model], list[Any]]) -> Any:
    if field.is_relation:
        keys = done[field.related_model]
        return keys[i % len(keys)] if keys else None
    if field.choices:
        return field.flatchoices[i % len(field.flatchoices)][0]
    match field:
        case models.UUIDField():
            return uuid_of(i)
        case models.DateTimeField():
            return BEGIN + timedelta(seconds=i)
        case models.EmailField():
            return f"ada-{i}@example.com"
        case models.CharField() | models.TextField():
            return f"{i}-{field.name}"[: min(field.max_length or TEXT_LENGTH, TEXT_LENGTH)]
        case models.BinaryField():
            return b"{}"
        case models.BooleanField():
            return False
        case models.JSONField():
            return {}
    return 1 + i % 1_000
