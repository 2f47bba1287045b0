"""The shapes of the REST answers. The OpenAPI document is made from them."""

from datetime import datetime
from typing import Any, Literal

from ninja import Schema
from pydantic import Field

from stations.feeds.active_feeds import ActiveFeed
from stations.forecast.showing import Method, Row
from stations.live.feed_health import FeedHealth
from stations.live.station_view import state_of
from stations.models import Station
from stations.open_data.sources import source_of
from stations.services.statistics import city_name

State = Literal["fresh", "closed", "stale", "unknown", "frozen"]
Condition = Literal["good", "waiting", "failing", "stale", "late"]


class Failure(Schema):
    """An error, in English."""

    error: str


class Attribution(Schema):
    """The organization to name wherever this feed's data is shown, and the licence."""

    feed: str
    name: str
    url: str = Field(description="Empty if unknown")
    licence: str = Field(description="Empty: the source's own; ask the source")
    licence_url: str = Field(description="Empty if unknown")

    @classmethod
    def of(cls, feed: str) -> "Attribution":
        source = source_of(feed)
        return cls(feed=feed, name=source.name, url=source.url, licence=source.licence, licence_url=source.licence_url)


class Feed(Schema):
    """A feed in use, and how far it deserves belief now."""

    name: str
    slug: str = Field(description="The name in addresses")
    contract: str | None = Field(description="The only city of the feed; null: several")
    condition: Condition = Field(description="Only the stations of a good feed are live")
    polled_at: datetime | None = Field(description="The last poll")
    answered_at: datetime | None = Field(description="The last poll with an answer")
    updated_at: datetime | None = Field(description="The time of that answer by the feed's own word")
    attribution: Attribution
    gbfs: dict[str, str] = Field(description="Addresses of gbfs.json by version of GBFS")

    @classmethod
    def of(cls, health: FeedHealth, *, now: datetime, gbfs: dict[str, str]) -> "Feed":
        return cls(
            name=health.feed.name,
            slug=slug_of(health.feed),
            contract=health.feed.contract,
            condition=health.condition(now).value,
            polled_at=health.at,
            answered_at=health.good_at,
            updated_at=health.updated_at,
            attribution=Attribution.of(health.feed.name),
            gbfs=gbfs,
        )


class Feeds(Schema):
    """All feeds in use."""

    feeds: list[Feed]


class StationRow(Schema):
    """A station as of its last change. While its feed is not good, all of it is old."""

    feed: str
    station_id: str = Field(description="Unique within its feed")
    contract: str = Field(description="The city's key")
    city: str
    number: int | None = Field(description="The operator's own number")
    name: str
    address: str = Field(description="Empty if unknown")
    lat: float
    lng: float
    state: State = Field(description="fresh: open; stale: open, but silent; frozen: unreadable, the last good figures")
    bikes: int
    mechanical: int | None = Field(description="null: the source does not tell the kinds apart")
    electrical: int | None
    stands: int | None = Field(description="Free ones; null: bikes stand anywhere")
    capacity: int
    version: int = Field(description="Grows by one with each change")
    reported_at: datetime | None = Field(description="The station's own report at its last change; never order by it")
    changed_at: datetime
    feed_condition: Condition

    @classmethod
    def of(cls, row: Station, condition: str) -> "StationRow":
        made: dict[str, Any] = {
            "city": city_name(row.contract),
            "state": state_of(row).value,
            "feed_condition": condition,
        }
        return cls(**made, **{name: getattr(row, name) for name in cls.model_fields.keys() - made.keys()})


class Stations(Schema):
    """A page of stations."""

    total: int = Field(description="Of all pages")
    limit: int
    offset: int
    stations: list[StationRow]
    attribution: list[Attribution] = Field(description="Of each feed in this answer")


class Chances(Schema):
    """The chances of at least one bike, and of at least one free stand, at one time."""

    minutes: int = Field(description="After `made_at`")
    at: datetime
    bike: float = Field(description="From 0 to 1")
    bike_method: Method
    place: float | None = Field(description="null: bikes stand anywhere")
    place_method: Method | None

    @classmethod
    def of(cls, row: Row) -> "Chances":
        return cls(
            minutes=row.minutes,
            at=row.at,
            bike=row.bike.share,
            bike_method=row.bike.method,
            place=row.place and row.place.share,
            place_method=row.place and row.place.method,
        )


class StationForecast(Schema):
    """The newest forecast of a station, as it was written before the fact."""

    made_at: datetime
    chances: list[Chances]


class OneStation(Schema):
    """One station and its source."""

    station: StationRow
    forecast: StationForecast | None = Field(description="null: not open and live, or not enough history yet")
    attribution: Attribution


def slug_of(feed: ActiveFeed) -> str:
    return feed.name.replace(":", "-", 1)
