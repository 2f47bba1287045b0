"""Watch the places of alerts as events come, and publish each episode of which the rider is to be told."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import transaction

from eventbus import clock, publish
from stations.alerts import places
from stations.alerts.episodes import due_at, note
from stations.alerts.mail import waiting
from stations.events import PollFinished, StationAlertDue, StationChanged, StationWebhookDue
from stations.models import Alert

STATE = ("episode", "running", "began_at", "recovered_at")  # what a look at the place changes


def note_change(event: StationChanged) -> None:
    """Look at the places that this change concerns. An event handled twice, or late, finds them as they are."""
    for alert in places.concerned(event):
        _look(alert, event.polled_at, silent=lambda: places.was_silent(event))


def note_poll(event: PollFinished) -> None:
    """Look at the feed after a poll. A feed is told of after some minutes without a good answer."""
    for alert in places.concerned_by_poll(event):
        _look(alert, event.at, silent=lambda: False)


def _look(alert: Alert, at: datetime, *, silent: Callable[[], bool]) -> None:
    """Look once. Of two looks at the same time, one changes the row, and only that one publishes."""
    seen = places.look_at(alert)
    if seen is None:
        return
    before = {name: getattr(alert, name) for name in STATE}
    begins = note(alert, seen, at)
    after = {name: getattr(alert, name) for name in STATE}
    if after == before:
        return
    untold = begins and silent()
    told = {"told_episode": alert.episode, "posted_episode": alert.episode} if untold else {}
    with transaction.atomic():
        changed = Alert.objects.filter(pk=alert.pk, paused=False, **before).update(**after, **told)
        if changed and begins and not untold:
            announce(alert, clock.now())


def announce(alert: Alert, now: datetime) -> None:
    """Publish that the rider is to be told of the present episode, as soon as rest and quiet hours allow."""
    due = due_at(alert, now)
    what: dict[str, Any] = {"alert_id": alert.id, "episode": alert.episode, "due_at": due}
    events = [StationAlertDue(**what), *([StationWebhookDue(**what)] if alert.webhook else [])]
    publish(*events, due=due if due > now else None)


def note_told(event: StationAlertDue, told_at: datetime | None) -> None:
    """Keep that the rider was told. One who is not to be disturbed just now is told later, if the episode still runs.

    The quiet hours may have changed since the event was published.
    """
    alert = Alert.objects.filter(id=event.alert_id, episode=event.episode, told_episode__lt=event.episode).first()
    if alert is None:
        return
    if told_at is not None:
        Alert.objects.filter(pk=alert.pk).update(told_episode=event.episode, told_at=told_at)
    elif waiting(event, now := clock.now()) and due_at(alert, now) > now:
        announce(alert, now)
