"""A fragment for each place. They read what was published: the app has no table of its own."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest

from eventbus import Event
from eventbus.events import decode
from eventbus.models import OutboxRow
from mcommerce.web.slots import fragment
from tests.mcommerce.slots.points.events import PointsGranted, RulesChanged, StationPraised


def published(event_type: type[Event], key: str = "") -> list[Any]:
    rows = OutboxRow.objects.filter(topic=event_type.topic, **({"key": key} if key else {}))
    return [decode(bytes(row.payload), event_type) for row in rows.order_by("id")]


@fragment("order", template="points/order_points.html", updates_on=[PointsGranted])
def order_points(order_id: UUID, request: HttpRequest) -> dict[str, object] | None:
    points = sum(event.points for event in published(PointsGranted, str(order_id)))
    return {"points": points, "worth": points * 10} if points else None


@fragment("order", template="points/rules.html", updates_on=[RulesChanged], matches=lambda event, order_id: True)
def order_rules(order_id: UUID, request: HttpRequest) -> dict[str, object]:
    return {"rules": [event.rules for event in published(RulesChanged)][-1:]}


@fragment("product", template="points/note.html")
def product_note(product_id: UUID, request: HttpRequest) -> dict[str, object]:
    return {"said": f"{sum(event.points for event in published(PointsGranted))} points for {product_id}"}


@fragment("station", template="points/note.html", updates_on=[StationPraised])
def station_praise(feed: str, station_id: str, request: HttpRequest) -> dict[str, object]:
    return {"said": f"{feed} {station_id} praised {len(published(StationPraised))} times"}


@fragment("account", template="points/note.html", queries=0)
def account_note(account_id: UUID, request: HttpRequest) -> dict[str, object]:
    return {"said": f"points of {account_id}"}


@fragment("desk", template="points/note.html", queries=0)
def desk_note(order_id: UUID, request: HttpRequest) -> dict[str, object]:
    return {"said": f"points at the desk of {order_id}"}
