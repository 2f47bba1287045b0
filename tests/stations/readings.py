"""Two stations of Lyon, as a feed gives them."""

from datetime import UTC, datetime

from msgspec.structs import replace

from stations.feeds.feed_interface import Key, Reading
from tests.stations.socket_client import state

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
BELLECOUR = Key("jcdecaux:lyon", "2010")
TERREAUX = Key("jcdecaux:lyon", "1001")
STATE = state(number=2010, address="", lat=45.757)


def reading(key: Key = BELLECOUR, reported_at: datetime | None = NOON, **changed: object) -> Reading:
    return Reading(key, replace(STATE, **{"number": int(key.station_id)} | changed), reported_at)
