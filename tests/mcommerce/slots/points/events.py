from uuid import UUID

from eventbus import Event


class PointsGranted(Event, name="points.granted", topic="points", key="order_id"):
    order_id: UUID
    points: int


class StationPraised(Event, name="points.station_praised", topic="points-stations", key=("feed", "station_id")):
    feed: str
    station_id: str


class RulesChanged(Event, name="points.rules_changed", topic="points-rules", key="rules"):
    """It concerns every order, so it names none."""

    rules: str
