"""The pages that show stations: all of them live, one of them, and the state as JSON."""

from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from eventbus import clock
from stations import figures, live
from stations.board import Board, StationView
from stations.contracts import LIVE
from stations.doorkeeper import REMARK, may_produce
from stations.feeds.registry import is_simulated
from stations.models import Remark, Station, StationHistory
from stations.news import FeedHealth, feeds_remembered, in_every_language, source_of

CHANGES_SHOWN = 20  # the last ones, on the dashboard and on a station's page
REMARKS_SHOWN = 10
NUMBER_MAX = 2**31 - 1  # what the column of the station's number holds; beyond it there is no station


@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    """All stations: figures of every city, and with `?contract=` the table of one. Complete without JavaScript."""
    cities = figures.cities()
    contract = request.GET.get("contract", "").strip().casefold()
    chosen = next((city for city in cities if city.contract == contract), None)
    feeds = feeds_remembered()
    context = {
        "cities": cities,
        "chosen": chosen,
        "unknown_contract": contract if contract and not chosen else "",
        "total": chosen or figures.total(cities),
        "stations": _stations_of(contract) if chosen else [],
        "changes": _last_changes(contract if chosen else ""),
        "remarks": Remark.objects.order_by("-at")[:REMARKS_SHOWN],
        "feeds": [_feed_told(feed) for feed in feeds],
        "places": [{"contract": c.name, "name": c.city, "lat": c.lat, "lng": c.lng} for c in LIVE],
        "may_produce": may_produce(request.user),
        "may_remark": may_produce(request.user, REMARK),
        **_origin(),
    }
    return render(request, "stations/dashboard.html", context)


@require_safe
def station(request: HttpRequest, contract: str, number: int) -> HttpResponse:
    """One station: its state, its last changes, the last hours. 404, with what to do, when nobody knows it."""
    contract = contract.casefold()
    known = Station.objects.filter(contract=contract, number=min(number, NUMBER_MAX)).order_by("gone", "-polled_at")
    found = known.first()
    if found is None:
        context = {"contract": contract, "number": number, "city": figures.city_name(contract)}
        return render(request, "stations/no_station.html", context, status=404)
    now = clock.now()
    key = {"source": found.source, "contract": contract, "number": number}
    context = {
        "station": found,
        "city": figures.city_name(contract),
        "zone": ZoneInfo(figures.city_zone(contract)),
        "changes": StationHistory.objects.filter(**key).order_by("-version")[:CHANGES_SHOWN],
        "chart": figures.chart(found, now=now),
        "chart_hours": figures.CHART_HOURS,
        "answered_at": figures.answered_at(feeds_remembered(), source=found.source),
        "simulated": is_simulated(found.source),
    }
    return render(request, "stations/station.html", context)


@require_safe
def state(request: HttpRequest) -> HttpResponse:
    """The state that sockets of this process are told, as a `snapshot` frame.

    `?contract=` names one or several. A process that serves no sockets has no epoch: it answers from the rows, seq 0.
    """
    contracts = frozenset(name.casefold() for name in request.GET.getlist("contract") if name) or None
    running = live.anywhere()
    if running is not None:
        frame = running.snapshot(contracts)
    else:
        rows = Station.objects.filter(gone=False)
        frame = Board((StationView.of(row) for row in rows), epoch="").snapshot(contracts)
    return HttpResponse(frame, content_type="application/json", headers={"Cache-Control": "no-store"})


def _stations_of(contract: str) -> list[Station]:
    return list(Station.objects.filter(contract=contract, gone=False).order_by("name", "number"))


def _last_changes(contract: str) -> list[dict[str, object]]:
    """The newest changes, each with its station's name."""
    rows = StationHistory.objects.order_by("-at", "-id")
    newest = list((rows.filter(contract=contract) if contract else rows)[:CHANGES_SHOWN])
    named = Station.objects.filter(number__in={row.number for row in newest})
    names = {(one.source, one.contract, one.number): one.name for one in named}
    return [{"row": row, "name": names.get((row.source, row.contract, row.number), str(row.number))} for row in newest]


def _feed_told(feed: FeedHealth) -> dict[str, object]:
    return {**feed.told(), "reason": in_every_language(feed.reason), "reason_text": feed.reason}


def _origin() -> dict[str, object]:
    """Where the stations come from: an attribution is owed, and a simulation says what it is."""
    shown = set(Station.objects.filter(gone=False).order_by().values_list("source", flat=True).distinct())
    sources = shown or {source_of(feed) for feed in settings.STATIONS_FEEDS}  # a feed just set has told nothing yet
    return {
        "simulated": all(is_simulated(source) for source in sources),
        "partly_simulated": any(is_simulated(source) for source in sources),
        "feed_names": ", ".join(settings.STATIONS_FEEDS),
        "tile_url": settings.STATIONS_TILE_URL,
    }
