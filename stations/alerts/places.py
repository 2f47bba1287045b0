"""Look at the place of an alert, as the stations' rows are now."""

from datetime import timedelta
from math import cos, radians

from django.db.models import Max, Q, QuerySet

from eventbus import clock
from stations.alerts.episodes import Look, look_of
from stations.events import PollFinished, StationChanged
from stations.feeds.active_feeds import active_feeds
from stations.models import Alert, PollRun, Station
from stations.services.neighbours import metres_between

RADIUS_M_MIN, RADIUS_M_MAX = 100, 2_000  # of a circle: from one corner to half an hour on foot
DEGREE_M = 111_000  # of latitude, a little less than it has: no station of a circle is missed
COS_MIN = 0.02  # of a latitude: nearer to a pole are no bikes, and a degree of longitude has no length
DOWN_AFTER = timedelta(minutes=10)  # without a good answer of a feed: one that fails for less is a hiccup
SILENCE_MAX = timedelta(hours=1)  # of a feed: what begins in it may be hours old, or told before a restore


def look_at(alert: Alert) -> Look | None:
    """Return how the alert's place is now, or None if nobody knows: its figures are unreadable or of no feed in use."""
    if alert.kind == Alert.Kind.FEED:
        return _look_at_feed(alert)
    if alert.radius_m is not None:
        return _look_at_circle(alert)
    row = Station.objects.filter(feed=alert.feed, station_id=alert.station_id).first()
    if row is None or (row.bad and not row.gone) or not active_feeds().shows(row.feed, row.contract):
        return None
    if alert.kind == Alert.Kind.CLOSED:
        return Look(short=not _is_open(row), clear=False)
    counts = [_count(alert, row)]
    return None if counts[0] is None else look_of(counts[0], alert.threshold or 0)


def _look_at_feed(alert: Alert) -> Look | None:
    """Return whether the last good answer of the feed is too old. None: nobody polls it."""
    last = PollRun.objects.filter(feed=alert.feed, outcome=PollRun.Outcome.OK).aggregate(last=Max("started"))["last"]
    if last is None or active_feeds().named(alert.feed) is None:
        return None
    return Look(short=clock.now() - last > DOWN_AFTER, clear=False)


def _look_at_circle(alert: Alert) -> Look | None:
    counts = [count for row in stations_within(alert) if (count := _count(alert, row)) is not None]
    return look_of(sum(counts), alert.threshold or 0) if counts else None


def _count(alert: Alert, row: Station) -> int | None:
    """Return what a rider finds there: nothing at a closed station. None where bikes stand anywhere."""
    counted: int | None = row.bikes if alert.kind == Alert.Kind.BIKES else row.stands
    return counted if counted is None or _is_open(row) else 0


def _is_open(row: Station) -> bool:
    return row.status == "OPEN" and not row.gone and not row.held


def stations_within(alert: Alert) -> list[Station]:
    """Return the shown stations of an alert's circle."""
    if alert.lat is None or alert.lng is None or alert.radius_m is None:
        return []
    high, wide = _degrees(alert.lat, alert.radius_m)
    box = {
        "lat__range": (alert.lat - high, alert.lat + high),
        "lng__range": (alert.lng - wide, alert.lng + wide),
    }
    centre = Station(lat=alert.lat, lng=alert.lng)
    shown = Station.objects.filter(active_feeds().condition(), gone=False, held="", **box)
    return [row for row in shown if metres_between(centre, row) <= alert.radius_m]


def _degrees(lat: float, metres: float) -> tuple[float, float]:
    """Return so many metres in degrees of latitude and of longitude."""
    return metres / DEGREE_M, metres / DEGREE_M / max(cos(radians(lat)), COS_MIN)


def concerned(event: StationChanged) -> QuerySet[Alert]:
    """Return the alerts that a change of this station may concern: its own, and those of circles near it."""
    high, wide = _degrees(event.lat, 1.1 * RADIUS_M_MAX)  # more: the circle's own latitude may have longer degrees
    near = Q(lat__range=(event.lat - high, event.lat + high), lng__range=(event.lng - wide, event.lng + wide))
    own = Q(radius_m=None, feed=event.feed, station_id=event.station_id)
    found = Alert.objects.filter(paused=False, expires_at__gt=event.polled_at)
    return found.exclude(kind=Alert.Kind.FEED).filter(own | Q(radius_m__isnull=False) & near).order_by("id")


def concerned_by_poll(event: PollFinished) -> QuerySet[Alert]:
    """Return the alerts about the feed of this poll. A good poll concerns only those whose episode runs."""
    found = Alert.objects.filter(kind=Alert.Kind.FEED, feed=event.feed, paused=False, expires_at__gt=event.at)
    return (found.filter(running=True) if event.ok else found).order_by("id")


def was_silent(event: StationChanged) -> bool:
    """Return whether the poll that found this change is the first good one after a long silence of the feed."""
    good = PollRun.objects.filter(feed=event.feed, outcome=PollRun.Outcome.OK, started__lt=event.polled_at)
    last = good.order_by("-started").values_list("started", flat=True).first()
    return last is None or event.polled_at - last > SILENCE_MAX
