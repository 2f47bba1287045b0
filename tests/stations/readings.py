"""Two stations of Lyon, as a feed gives them."""

from datetime import UTC, datetime

from msgspec.structs import replace

from stations.feeds.feed_interface import Key, Reading, State

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
BELLECOUR = Key("jcdecaux:lyon", "2010")
TERREAUX = Key("jcdecaux:lyon", "1001")
STATE = State(
    contract="lyon",
    number=2010,
    name="BELLECOUR",
    address="",
    lat=45.757,
    lng=4.832,
    status="OPEN",
    bikes=10,
    mechanical=6,
    electrical=4,
    stands=10,
    capacity=20,
    connected=True,
    banking=True,
    bonus=False,
    overflow=False,
)


def reading(key: Key = BELLECOUR, reported_at: datetime | None = NOON, **state: object) -> Reading:
    return Reading(key, replace(STATE, **{"number": int(key.station_id)} | state), reported_at)
