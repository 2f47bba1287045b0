from uuid import UUID

from django.db import transaction

from eventbus import publish
from tests.mcommerce.slots.points.events import PointsGranted, RulesChanged, StationPraised


@transaction.atomic
def grant_points(*, order_id: UUID, points: int = 19) -> None:
    publish(PointsGranted(order_id=order_id, points=points))


@transaction.atomic
def change_rules(*, rules: str) -> None:
    publish(RulesChanged(rules=rules))


@transaction.atomic
def praise_station(*, feed: str, station_id: str) -> None:
    publish(StationPraised(feed=feed, station_id=station_id))
