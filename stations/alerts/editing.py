"""The changes that riders make to their alerts. After each, the present episode is none to be told of."""

import secrets
from datetime import datetime, timedelta
from uuid import UUID

from django.db import IntegrityError, transaction

from stations.alerts import places
from stations.alerts.episodes import note
from stations.models import ALERTS_MAX, Alert

SECRET_BYTES = 32  # of the key that signs: as long as the digest
KEPT = timedelta(days=180)  # after the last change: nobody is told for ever of a place they have left


class TooManyAlerts(Exception):
    """The account has `ALERTS_MAX` alerts already."""


class AlertUnknown(Exception):
    """The account has no such alert."""


def create(alert: Alert, *, owner: str, now: datetime) -> None:
    """Save a new alert of this account. Raises TooManyAlerts, also if two forms are sent at once."""
    alert.owner = owner
    _begin(alert, now)
    taken = set(Alert.objects.filter(owner=owner).values_list("slot", flat=True))
    for slot in range(1, ALERTS_MAX + 1):
        if slot in taken:
            continue
        alert.slot = slot
        try:
            with transaction.atomic():
                alert.save(force_insert=True)
            return
        except IntegrityError:  # another form has just taken this one
            continue
    raise TooManyAlerts(owner)


def change(alert: Alert, *, now: datetime) -> None:
    """Save what the rider changed. Its episodes begin anew: what is so now is known to the rider."""
    _begin(alert, now)
    alert.save()


def pause(*, owner: str, alert_id: UUID) -> None:
    """Tell nobody until the rider lets it go on. Raises AlertUnknown."""
    if not Alert.objects.filter(owner=owner, id=alert_id).update(paused=True):
        raise AlertUnknown(alert_id)


def resume(*, owner: str, alert_id: UUID, now: datetime) -> None:
    """Let an alert go on that was paused or has expired. Raises AlertUnknown."""
    with transaction.atomic():
        alert = Alert.objects.select_for_update().filter(owner=owner, id=alert_id).first()
        if alert is None:
            raise AlertUnknown(alert_id)
        change(alert, now=now)


def stop(alert_id: UUID) -> None:
    """Pause an alert for whoever has the link of its mail. One that is gone needs nothing."""
    Alert.objects.filter(id=alert_id).update(paused=True)


def delete(*, owner: str, alert_id: UUID) -> None:
    """Delete an alert. Raises AlertUnknown."""
    if not Alert.objects.filter(owner=owner, id=alert_id).delete()[0]:
        raise AlertUnknown(alert_id)


def _begin(alert: Alert, now: datetime) -> None:
    """Look at the place, and count the episode that runs now, if one does, as told."""
    alert.paused, alert.expires_at = False, now + KEPT
    alert.running, alert.recovered_at = False, None
    alert.webhook_error = ""
    if alert.webhook and not alert.secret:
        alert.secret = secrets.token_urlsafe(SECRET_BYTES)
    seen = places.look_at(alert)
    if seen is None or not note(alert, seen, now):
        alert.episode += 1  # an event of an earlier episode may still be on its way
    alert.told_episode = alert.posted_episode = alert.episode
