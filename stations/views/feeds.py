"""The page of a feed: how far it deserves belief, the rows held apart, and its stations."""

from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from eventbus import clock
from stations.feeds.active_feeds import active_feeds
from stations.feeds.registry import is_recorded, is_simulated
from stations.live.feed_health import feeds_remembered
from stations.models import Station
from stations.open_data.sources import source_of
from stations.services.feed_record import RECORD_HOURS, record_of
from stations.services.feed_rhythm import Rhythm, rhythm_of
from stations.services.recording import JUMP_BIKES_MIN
from stations.views.stations import feeds_told

MINUTE_SECONDS = 60
ROWS_SHOWN = 100  # on a page of the list; and the most held rows


@require_safe
def feed(request: HttpRequest, feed: str) -> HttpResponse:
    """Show a feed in use. Complete without JavaScript."""
    active = active_feeds().named(feed)
    if active is None:
        raise Http404
    health = feeds_remembered([active])
    rows = Station.objects.filter(feed=feed, gone=False).order_by("station_id")
    now = clock.now()
    record, rhythm = record_of(feed, now=now), rhythm_of(feed, now=now)
    context = {
        "feed": feed,
        "feeds": feeds_told(health),
        "health": health[0],
        "record": record,
        "shares": [100 * share if share is not None else None for share in record[1:3] + record[6:]],
        "hours": RECORD_HOURS,
        "rhythm": rhythm,
        "spans": _spans(rhythm),
        "jump_bikes": JUMP_BIKES_MIN,
        "held": rows.exclude(held="")[:ROWS_SHOWN],
        "stations": Paginator(rows.filter(held=""), ROWS_SHOWN).get_page(request.GET.get("page")),
        "simulated": is_simulated(feed),
        "recorded": is_recorded(feed),
        "source": source_of(feed),
    }
    return render(request, "stations/feed.html", context)


def _spans(rhythm: Rhythm) -> dict[str, str]:
    """Return the times of a rhythm as texts, such as "35 s", "12 min" and "3 h 20 min", the same in all languages."""
    return {name: _span(getattr(rhythm, name)) for name in ("claimed", "measured", "down")}


def _span(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    if seconds < MINUTE_SECONDS:
        return f"{round(seconds)} s"
    hours, minutes = divmod(round(seconds / MINUTE_SECONDS), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min"
