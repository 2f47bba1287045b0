"""Decide from one look at a place to the next when an episode begins and ends. It knows no database and no clock."""

from datetime import UTC, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from stations.models import Alert

ENDS_ABOVE = 2  # bikes or stands: a count that moves by one around the threshold stays one episode
ENDS_AFTER = timedelta(minutes=15)  # of recovery without a clear one: the next shortage is news again
REST = timedelta(hours=1)  # between two messages of one alert: at most 24 a day, however busy the station


class Look(NamedTuple):
    """The state of a place: `short` is what the alert tells of, and `clear` is well away from it."""

    short: bool
    clear: bool
    counted: int | None = None  # bikes or free stands; None: the kind counts none


def look_of(count: int, threshold: int) -> Look:
    """Return the look at a place with so many bikes or stands."""
    return Look(short=count < threshold, clear=count >= threshold + ENDS_ABOVE, counted=count)


def is_on(alert: Alert, now: datetime) -> bool:
    """Return whether the alert's episode still runs. A recovered one ends by itself, without a further look."""
    return alert.running and not (alert.recovered_at and now - alert.recovered_at >= ENDS_AFTER)


def note(alert: Alert, look: Look, at: datetime) -> bool:
    """Take a look at the place into the alert. Return True if an episode begins with it."""
    was_on = is_on(alert, at)
    if look.short:
        alert.recovered_at = None
        alert.running = True
        if not was_on:
            alert.episode, alert.began_at = alert.episode + 1, at
        return not was_on
    if not was_on or look.clear:
        alert.running, alert.recovered_at = False, None
    elif alert.recovered_at is None:
        alert.recovered_at = at
    return False


def due_at(alert: Alert, now: datetime) -> datetime:
    """Return the first time from now on at which the rider may be told: after the rest, outside of the quiet hours."""
    due = max(now, alert.told_at + REST) if alert.told_at else now
    return _after_quiet_hours(alert, due)


def is_quiet(alert: Alert, now: datetime) -> bool:
    """Return whether now is within the quiet hours of the rider."""
    return _after_quiet_hours(alert, now) > now


def _after_quiet_hours(alert: Alert, at: datetime) -> datetime:
    begin, end = alert.quiet_from, alert.quiet_until
    if begin is None or end is None or begin == end:
        return at
    local = at.astimezone(ZoneInfo(alert.zone))
    if not _within(local.time(), begin, end):
        return at
    day = local.date() if local.time() < end else local.date() + timedelta(days=1)
    return datetime.combine(day, end, ZoneInfo(alert.zone)).astimezone(UTC)


def _within(at: time, begin: time, end: time) -> bool:
    """Return whether a time of day is in these hours, which may span midnight."""
    return begin <= at < end if begin < end else at >= begin or at < end
