"""The pages that show stations: all of them live, one of them, and the state as JSON."""

from collections.abc import Iterable
from zoneinfo import ZoneInfo

import msgspec
from django.conf import settings
from django.core.paginator import Page, Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext
from django.views.decorators.http import require_safe

from eventbus import clock
from stations.alerts.pages import panel
from stations.feeds.active_feeds import ActiveFeed, active_feeds
from stations.feeds.cities import LIVE
from stations.feeds.feed_interface import Bad
from stations.feeds.feed_names import REPLAY
from stations.feeds.registry import SIMULATOR, is_recorded, is_simulated
from stations.feeds.row_condition import IsAmong
from stations.forecast.showing import shown_forecast
from stations.forms import RemarkForm
from stations.live import live_updates
from stations.live.feed_health import Condition, FeedHealth, feeds_remembered, health_of
from stations.live.live_state import LiveState
from stations.live.station_view import StationView
from stations.live.status_frames import REMARKS_SHOWN
from stations.models import Remark, Station, StationHistory
from stations.services import remark_box, search, statistics
from stations.services.neighbours import neighbours
from stations.services.statistics import City
from stations.sockets.admission import may_produce
from stations.views.map_file import map_file_address

CHANGES_SHOWN = 20  # the last ones, on the dashboard and on a station's page
STATIONS_SHOWN = 50  # on one page of the table, as in station_table.js
MAY_LOCATE = "geolocation=(self)"  # the browser tells the page, and the page tells nobody


@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    """Show all stations: every city's figures, or with `?contract=` one city's alone. Complete without JavaScript."""
    return show_dashboard(request)


def show_dashboard(request: HttpRequest, *, status: int = 200, remark_form: RemarkForm | None = None) -> HttpResponse:
    """Return the dashboard, also with a refused remark in its form."""
    contract = request.GET.get("contract", "").strip().casefold()
    query = request.GET.get("q", "").strip()[: search.QUERY_LENGTH_MAX]
    chosen = statistics.city(contract) if contract else None
    cities = [chosen] if chosen else statistics.cities()
    concerned = [health_of(contract)] if chosen else feeds_remembered()
    told = feeds_told(concerned)
    context = {
        "cities": cities,
        "chosen": chosen,
        "query": query,
        "unknown_contract": contract if contract and not chosen else "",
        "total": chosen or statistics.total(cities),
        "stations": _page_of_stations(request.GET.get("page"), chosen, query, cities),
        "changes": _last_changes(contract if chosen else ""),
        "remarks": Remark.objects.order_by("-at")[:REMARKS_SHOWN],
        "feeds": told,
        "is_live": all(feed["condition"] == Condition.GOOD for feed in told),
        "places": [{"contract": c.name, "name": c.city, "service": c.commercial_name} for c in LIVE],
        "may_produce": may_produce(request.user),
        "remark_form": remark_form or RemarkForm(),
        "box_is_open": remark_box.is_open(),
        "bad_words": bad_words(),
        **_ground(),
        "simulated_source": SIMULATOR,
        "recorded_source": REPLAY,
        "everywhere": _origin(active_feeds().feeds),
        **_origin([health.feed for health in concerned if health]),
    }
    answer = render(request, "stations/dashboard.html", context, status=status)
    answer.headers["Permissions-Policy"] = MAY_LOCATE
    return answer


@require_safe
def station(request: HttpRequest, feed: str, station_id: str) -> HttpResponse:
    """Show one station: its state, its last changes, its last hours. An unknown one gets a 404 page with advice."""
    active = active_feeds().named(feed)
    found = Station.objects.filter(feed=feed, station_id=station_id).first() if active else None
    if active is None or found is None:
        return render(request, "stations/no_station.html", {"feed": feed, "station_id": station_id}, status=404)
    now = clock.now()
    health = feeds_remembered([active])[0]
    near = neighbours(found)
    context = {
        "station": found,
        "city": statistics.city_name(found.contract),
        "zone": ZoneInfo(statistics.city_zone(found.contract)),
        "changes": StationHistory.objects.filter(feed=feed, station_id=station_id).order_by("-version")[:CHANGES_SHOWN],
        "chart": statistics.chart(found, now=now),
        "chart_hours": statistics.CHART_HOURS,
        "neighbours": near,
        "forecast": shown_forecast(found, near, is_live=health.condition(now) == Condition.GOOD),
        "alerts": panel(request, found),
        "raw": msgspec.json.format(msgspec.json.encode(StationView.of(found)), indent=1).decode(),
        **_ground(),
        "answered_at": health.good_at,
        "seen_at": found.seen_at if found.bad or found.gone else health.good_at,
        "feeds": feeds_told([health]),
        "simulated": is_simulated(feed),
        "recorded": is_recorded(feed),
        "is_apart": bool(found.held) or not active_feeds().shows(feed, found.contract),
        "bad_words": bad_words(),
    }
    return render(request, "stations/station.html", context)


@require_safe
def state(request: HttpRequest) -> HttpResponse:
    """Return the live state of this process as JSON with all names.

    `?contract=` names a contract, and may be repeated. A process without live state reads the rows instead: `epoch` is
    empty, and each of `seqs` is 0.
    """
    contracts = frozenset(name.casefold() for name in request.GET.getlist("contract") if name) or None
    running = live_updates.anywhere()
    if running is not None:
        told = running.written(contracts)
    else:
        wanted = Q(IsAmong(("contract",), [(name,) for name in contracts])) if contracts else Q()
        rows = Station.objects.filter(wanted, _shown(), gone=False, held="")
        told = LiveState((StationView.of(row) for row in rows), epoch="").written(contracts)
    return HttpResponse(told, content_type="application/json", headers={"Cache-Control": "no-store"})


def feeds_told(feeds: Iterable[FeedHealth | None]) -> list[dict[str, object]]:
    """Return the health of these feeds as pages show it."""
    now = clock.now()
    return [{**health._asdict(), "condition": health.condition(now).value} for health in feeds if health]


def bad_words() -> dict[str, str]:
    """Return the reasons for unreadable rows in the page's language: the frames hold them in English."""
    return {reason.value: gettext(reason.value) for reason in Bad}


def _ground() -> dict[str, object]:
    """Return the ground that the map draws."""
    return {
        "map_file": map_file_address(),
        "tile_url": settings.STATIONS_TILE_URL,
        "tile_attribution": settings.STATIONS_TILE_ATTRIBUTION,
    }


def _shown(contract: str = "") -> Q:
    """Return the condition on rows of the shown feeds: of one contract, or of all."""
    return active_feeds().condition_of(contract) if contract else active_feeds().condition()


def _page_of_stations(number: str | None, chosen: City | None, query: str, cities: Iterable[City]) -> Page[Station]:
    """Return a page of the stations that are searched for, of one city or of all."""
    shown = _shown(chosen.contract if chosen else "")
    stations = Station.objects.filter(shown, gone=False, held="").order_by("name", "station_id")
    found = search.found(stations, query, cities={city.contract: city.name for city in cities})
    return Paginator(found, STATIONS_SHOWN).get_page(number)


def _last_changes(contract: str) -> list[dict[str, object]]:
    """Return the newest changes, each with its station's name."""
    newest = list(StationHistory.objects.filter(_shown(contract)).order_by("-at", "-id")[:CHANGES_SHOWN])
    named = Station.objects.filter(
        feed__in={row.feed for row in newest}, station_id__in={row.station_id for row in newest}
    )
    names = {(one.feed, one.station_id): one.name for one in named}
    return [{"row": row, "name": names.get((row.feed, row.station_id), row.station_id)} for row in newest]


def _origin(feeds: list[ActiveFeed]) -> dict[str, bool]:
    """Return flags: all stations of these feeds are invented, or only some, and some are of another day.

    Real stations need an attribution, also those of another day.
    """
    simulated = [is_simulated(feed.name) for feed in feeds]
    return {
        "simulated": all(simulated),
        "partly_simulated": any(simulated) and not all(simulated),
        "recorded": any(is_recorded(feed.name) for feed in feeds),
    }
