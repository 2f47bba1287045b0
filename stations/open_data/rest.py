"""The REST pages: feeds, stations and one station. Their OpenAPI document is openapi.json."""

from typing import Any

from django.db import Error as DatabaseUnavailable
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from ninja import NinjaAPI, Query, Schema
from ninja.errors import ValidationError
from pydantic import Field

from eventbus import clock
from stations.feeds.active_feeds import ActiveFeed, active_feeds
from stations.forecast.showing import shown_forecast
from stations.live.feed_health import Condition
from stations.models import STATION_ID_LENGTH_MAX, Station
from stations.open_data.answers import failure, open_data
from stations.open_data.gbfs_documents import VERSIONS
from stations.open_data.gbfs_system import address_of
from stations.open_data.kept_answers import kept_shortly
from stations.open_data.kept_systems import FOR_RIDERS, feeds_health
from stations.open_data.rest_answers import (
    Attribution,
    Chances,
    Failure,
    Feed,
    Feeds,
    OneStation,
    StationForecast,
    StationRow,
    Stations,
    slug_of,
)

LIMIT_MAX = 500  # stations of one page: some 250 kB, unpacked
LIMIT = 100  # stations of a page by default
OFFSET_MAX = 100_000  # stations; all systems that anybody could name in the settings have fewer
MAX_AGE_SECONDS = 5  # that a cache may keep an answer: a poll of a real feed comes every ten seconds at most
TEXT_LENGTH_MAX = 100  # characters of a filter
NO_ADDRESS = "There is nothing at this address: openapi.json lists those that there are."
NO_FEED, NO_STATION = "No feed in use has this name.", "No station that riders can use has this id."
WRONG_BOX = "bbox is west,south,east,north in degrees, such as 4.7,45.6,5.0,45.9"

api = NinjaAPI(
    title="Bike stations",
    version="1.0.0",
    description="The stations of the feeds in use, as of their last polls. Name the sources: each answer has them.",
    docs_url=None,
    openapi_url="openapi.json",
    urls_namespace="stations:rest",
)


class Chosen(Schema):
    """The parameters of a page of stations."""

    feed: str = Field("", max_length=TEXT_LENGTH_MAX, description="A feed's name or slug; else one feed for each city")
    contract: str = Field("", max_length=TEXT_LENGTH_MAX, description="A city's key, such as lyon")
    bbox: str = Field("", max_length=TEXT_LENGTH_MAX, description=WRONG_BOX)
    limit: int = Field(LIMIT, ge=1, le=LIMIT_MAX)
    offset: int = Field(0, ge=0, le=OFFSET_MAX)

    def condition(self) -> Q:
        """Return the condition on the stations. Raises Http404 for an unknown feed, ValueError for a wrong box."""
        shown = Q(feed=_named(self.feed).name) if self.feed else active_feeds().condition()
        if self.contract:
            shown &= Q(contract=self.contract.casefold())
        return shown & _inside(self.bbox) if self.bbox else shown


@api.get("feeds", response=Feeds, url_name="feeds", summary="List the feeds in use")
def feeds(request: HttpRequest) -> Feeds:
    now, base = clock.now(), f"{request.scheme}://{request.get_host()}"
    told = []
    for health in feeds_health():
        gbfs = {version: address_of("gbfs", health.feed.name, version, base) for version in VERSIONS}
        told.append(Feed.of(health, now=now, gbfs=gbfs))
    return Feeds(feeds=told)


@api.get("stations", response={200: Stations, 400: Failure, 404: Failure}, url_name="stations", summary="List stations")
def stations(request: HttpRequest, chosen: Query[Chosen]) -> Stations | HttpResponse:
    try:
        rows = Station.objects.filter(chosen.condition(), FOR_RIDERS).defer("search").order_by("feed", "station_id")
    except ValueError:
        return failure(400, WRONG_BOX)
    page = list(rows[chosen.offset : chosen.offset + chosen.limit])
    conditions = _conditions()
    return Stations(
        total=rows.count(),
        limit=chosen.limit,
        offset=chosen.offset,
        stations=[StationRow.of(row, conditions[row.feed]) for row in page],
        attribution=[Attribution.of(name) for name in sorted({row.feed for row in page})],
    )


@api.get(
    "feeds/{feed}/stations/{path:station_id}",
    response={200: OneStation, 404: Failure},
    url_name="station",
    summary="Show one station",
)
def station(request: HttpRequest, feed: str, station_id: str) -> OneStation:
    named = _named(feed)
    row = None
    if len(station_id) <= STATION_ID_LENGTH_MAX:
        row = Station.objects.filter(FOR_RIDERS, feed=named.name, station_id=station_id).first()
    if row is None:
        raise Http404(NO_STATION)
    condition = _conditions()[named.name]
    return OneStation(
        station=StationRow.of(row, condition),
        forecast=_forecast(row, condition),
        attribution=Attribution.of(named.name),
    )


@api.exception_handler(ValidationError)
def _wrong(request: HttpRequest, error: Any) -> HttpResponse:
    """Return the first fault of the parameters as a sentence."""
    fault = error.errors[0]
    return failure(400, f"{fault['loc'][-1]}: {fault['msg']}")


@api.exception_handler(Http404)
def _unknown(request: HttpRequest, error: Any) -> HttpResponse:
    return failure(404, str(error))


@api.exception_handler(DatabaseUnavailable)
def _unread(request: HttpRequest, error: Any) -> HttpResponse:
    """Raise it again, for `open_data`: on a local site the API would answer with the traceback."""
    raise error


def _named(name: str) -> ActiveFeed:
    """Return the feed in use of this name or slug. Raises Http404."""
    for feed in active_feeds().feeds:
        if name in (feed.name, slug_of(feed)):
            return feed
    raise Http404(NO_FEED)


def _forecast(row: Station, condition: str) -> StationForecast | None:
    shown = shown_forecast(row, (), is_live=condition == Condition.GOOD)
    if shown.made_at is None:
        return None
    return StationForecast(made_at=shown.made_at, chances=[Chances.of(one) for one in shown.rows])


def _conditions() -> dict[str, str]:
    now = clock.now()
    return {health.feed.name: health.condition(now).value for health in feeds_health()}


def _inside(bbox: str) -> Q:
    """Return the condition on stations in a box. One whose west is east of its east crosses the date line."""
    west, south, east, north = map(float, bbox.split(","))
    if not (-180 <= west <= 180 and -180 <= east <= 180 and -90 <= south <= north <= 90):
        raise ValueError(bbox)
    between = Q(lng__gte=west, lng__lte=east) if west <= east else Q(lng__gte=west) | Q(lng__lte=east)
    return between & Q(lat__gte=south, lat__lte=north)


def _start(request: HttpRequest) -> HttpResponse:
    """Lead from the API's own address to what describes it."""
    return HttpResponseRedirect(f"{request.path}openapi.json")


def _nothing(request: HttpRequest, unknown: str) -> HttpResponse:
    """Refuse an address that the API does not have, in the shape of its other errors."""
    raise Http404(NO_ADDRESS)


def addresses() -> tuple[list[URLPattern], str, str]:
    """Return the URL patterns of the API for `path`, each answering as open data does. The last takes all the rest."""
    patterns, app, namespace = api.urls
    served = [one for one in patterns if isinstance(one, URLPattern)]
    for pattern in served:
        view = _start if pattern.name == "api-root" else kept_shortly(pattern.callback, max_age_seconds=MAX_AGE_SECONDS)
        pattern.callback = open_data(view)
    served.append(path("<path:unknown>", open_data(_nothing), name="unknown"))
    return served, app, namespace
