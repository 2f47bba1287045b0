"""The pages of the past: a station's day, week and usual day, and a city at any kept moment."""

from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.exceptions import BadRequest
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from eventbus import clock
from stations.all_languages import same_in_all_languages
from stations.feeds.active_feeds import active_feeds
from stations.feeds.registry import is_recorded, is_simulated
from stations.history import charts, reading
from stations.history.samples import MINUTE_MS, Hour, Sample, State, milliseconds, moment
from stations.models import Station
from stations.services import statistics

ROWS_SHOWN = 100  # stations on one page of the table of a moment
MOMENT_SECONDS = 60  # for which caches keep a moment: a late change may still come


@require_safe
def station_past(request: HttpRequest, feed: str, station_id: str) -> HttpResponse:
    """Show a station's day, its week and its usual day. Complete without JavaScript, as tables."""
    found = Station.objects.filter(feed=feed, station_id=station_id).first() if active_feeds().named(feed) else None
    if found is None:
        return render(request, "stations/no_station.html", {"feed": feed, "station_id": station_id}, status=404)
    zone = ZoneInfo(statistics.city_zone(found.contract))
    day = _day(request, zone)
    bounds = charts.bounds_of(day, zone)
    week = reading.hours_between(found, *charts.whole_hours(charts.bounds_of(day - timedelta(days=6), zone, days=7)))
    usual = charts.usual_day(found, day, zone)
    context = {
        "station": found,
        "city": statistics.city_name(found.contract),
        **_days_around(day, zone, feed),
        "hours": [_told(hour, zone, usual) for hour in week if bounds[0] <= hour.at < bounds[1]],
        "week_days": _week_days(week, zone),
        "charts": {
            "zone": zone.key,
            "capacity": found.capacity,
            "day": charts.line_of(found, bounds),
            "bounds": [at // 1000 for at in bounds],
            "week": charts.week_of(week),
            "usual": [[hour, *figures] for hour, figures in usual.items()],
        },
        "simulated": is_simulated(feed),
        "recorded": is_recorded(feed),
    }
    return render(request, "stations/history/station.html", context)


@require_safe
def city_past(request: HttpRequest, contract: str) -> HttpResponse:
    """Show a city's week, and its stations at a moment. With JavaScript a slider plays the day."""
    feed, zone = _feed_of(contract), ZoneInfo(statistics.city_zone(contract))
    day = _day(request, zone)
    at = _time(request, day, zone)
    then = reading.city_at(feed, contract, at)
    stations = list(Station.objects.filter(feed=feed, contract=contract).order_by("name", "station_id"))
    rows = [(one, then.samples[one.pk]) for one in stations if _is_listed(then.samples.get(one.pk))]
    bounds = charts.bounds_of(day, zone)
    context = {
        "contract": contract,
        "city": statistics.city_name(contract),
        **_days_around(day, zone, feed),
        "at": moment(at),
        "known": then.known,
        "sums": _sums(then),
        "rows": Paginator(rows, ROWS_SHOWN).get_page(request.GET.get("page")),
        "charts": {
            "zone": zone.key,
            "bounds": [one // 1000 for one in bounds],
            "until": min(bounds[1], milliseconds(clock.now())) // 1000,
            "sums": charts.city_sums(
                feed, contract, charts.whole_hours(charts.bounds_of(day - timedelta(days=6), zone, days=7))
            ),
        },
        "places": [[one.pk, one.lat, one.lng, one.name] for one in stations],
        "simulated": is_simulated(feed),
        "recorded": is_recorded(feed),
    }
    return render(request, "stations/history/city.html", context)


@require_safe
@same_in_all_languages
def city_moment(request: HttpRequest, contract: str) -> HttpResponse:
    """Return a city's stations at `?at=`, in seconds since 1970: `[id, bikes, stands, state]` each, and the sums.

    Without `at` it is now.
    """
    feed, asked = _feed_of(contract), request.GET.get("at") or str(int(clock.now().timestamp()))
    if not (asked.isascii() and asked.isdigit() and len(asked) <= 10):
        raise BadRequest("at: seconds since 1970")
    if int(asked) > int(clock.now().timestamp()) + MOMENT_SECONDS:
        raise BadRequest("at: not in the future")
    then = reading.city_at(feed, contract, int(asked) * 1000)
    rows = [[pk, one.bikes, one.stands, one.state] for pk, one in then.samples.items() if _is_listed(one)]
    answer = JsonResponse({"at": int(asked), "known": then.known, "sums": _sums(then), "stations": rows})
    answer["Cache-Control"] = f"public, max-age={MOMENT_SECONDS}"
    return answer


def _feed_of(contract: str) -> str:
    """Return the feed in use that supplies this city. Raises Http404."""
    feed = active_feeds().feed_of(contract)
    if feed is None or not Station.objects.filter(feed=feed.name, contract=contract).exists():
        raise Http404
    return feed.name


def _day(request: HttpRequest, zone: ZoneInfo) -> date:
    """Return the asked local day, today without one. Raises BadRequest for none of the calendar, or of the future."""
    today = clock.now().astimezone(zone).date()
    asked = request.GET.get("day", "")
    try:
        day = date.fromisoformat(asked) if asked else today
    except ValueError:
        raise BadRequest("day: YYYY-MM-DD") from None
    if not today - timedelta(days=settings.STATIONS_HISTORY_HOURS_DAYS + 1) <= day <= today:
        raise BadRequest("day: not in the future, and not longer ago than the history is kept")
    return day


def _time(request: HttpRequest, day: date, zone: ZoneInfo) -> int:
    """Return the asked local time of the day; without one the end of the day, or now."""
    asked = request.GET.get("time", "")
    begin, end = charts.bounds_of(day, zone)
    try:
        at = milliseconds(datetime.combine(day, time.fromisoformat(asked), zone)) if asked else end - MINUTE_MS
    except (TypeError, ValueError):
        raise BadRequest("time: HH:MM") from None
    return max(begin, min(at, milliseconds(clock.now()) // MINUTE_MS * MINUTE_MS))


def _days_around(day: date, zone: ZoneInfo, feed: str) -> dict[str, Any]:
    today = clock.now().astimezone(zone).date()
    return {
        "day": day,
        "zone": zone,
        "before": day - timedelta(days=1),
        "after": day + timedelta(days=1) if day < today else None,
        "today": today,
        "first": reading.first_day(feed) or today,
    }


def _told(hour: Hour, zone: ZoneInfo, usual: dict[int, charts.Usual]) -> dict[str, Any]:
    """Return an hour as tables show it: minutes, not milliseconds."""
    at = moment(hour.at).astimezone(zone)
    minutes = {name: round(getattr(hour, f"{name}_ms") / MINUTE_MS) for name in ("known", "empty", "full")}
    return {"at": at, "hour": hour, "mean": hour.mean, **minutes, "usual": usual.get(at.hour)}


def _week_days(hours: list[Hour], zone: ZoneInfo) -> list[dict[str, Any]]:
    days: dict[date, list[Hour]] = {}
    for hour in hours:
        days.setdefault(moment(hour.at).astimezone(zone).date(), []).append(hour)
    return [{"day": day, **_told(charts.summed(some), zone, {})} for day, some in days.items()]


def _is_listed(one: Sample | None) -> bool:
    return one is not None and one.state not in (State.GONE, State.HELD)


def _sums(then: reading.Moment) -> dict[str, int]:
    """Return the figures of the open stations, as the dashboard counts them."""
    open_ = [one for one in then.samples.values() if one.state == State.OPEN]
    return {
        "stations": len(open_),
        "bikes": sum(one.bikes for one in open_),
        "stands": sum(one.stands or 0 for one in open_),
        "empty": sum(one.bikes == 0 for one in open_),
        "full": sum(one.stands == 0 for one in open_),
    }
