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
from stations.views.stations import feeds_told

ROWS_SHOWN = 100  # on a page of the list; and the most held rows


@require_safe
def feed(request: HttpRequest, feed: str) -> HttpResponse:
    """Show a feed in use. Complete without JavaScript."""
    if active_feeds().named(feed) is None:
        raise Http404
    health = [one for one in feeds_remembered() if one.feed.name == feed]
    rows = Station.objects.filter(feed=feed, gone=False).order_by("station_id")
    record = record_of(feed, now=clock.now())
    context = {
        "feed": feed,
        "feeds": feeds_told(health),
        "health": health[0] if health else None,
        "record": record,
        "shares": [100 * share if share is not None else None for share in record[1:3] + record[6:]],
        "hours": RECORD_HOURS,
        "held": rows.exclude(held="")[:ROWS_SHOWN],
        "stations": Paginator(rows.filter(held=""), ROWS_SHOWN).get_page(request.GET.get("page")),
        "simulated": is_simulated(feed),
        "recorded": is_recorded(feed),
        "source": source_of(feed),
    }
    return render(request, "stations/feed.html", context)
