"""The mail about an episode, in the rider's language, with a link that stops the alert."""

from datetime import datetime, timedelta
from uuid import UUID

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation

from eventbus import clock
from outside.mail import send_once
from stations.alerts import places
from stations.alerts.episodes import due_at, is_on
from stations.alerts.riders import contact_of
from stations.events import StationAlertDue, StationWebhookDue
from stations.models import Alert

FRESH = timedelta(minutes=30)  # after its time a message is of no use, and after a restore it may be there twice
_signer = Signer(salt="stations.alerts.stop")


def waiting(event: StationAlertDue | StationWebhookDue, now: datetime) -> Alert | None:
    """Return the alert if its rider is still to be told of this episode. A paused alert tells nothing."""
    alert = Alert.objects.filter(id=event.alert_id, paused=False, expires_at__gt=now).first()
    if alert is None or alert.episode != event.episode or now - event.due_at > FRESH:
        return None
    return alert if is_on(alert, now) else None


def send(event: StationAlertDue) -> datetime | None:
    """Write to the rider, once in each episode. Return when, or None if there is nothing to tell."""
    now = clock.now()
    alert = waiting(event, now)
    if alert is None or alert.told_episode >= event.episode or due_at(alert, now) > now:
        return None
    contact = contact_of(alert.owner)
    if contact is None:
        return None
    with translation.override(contact.language), timezone.override(alert.zone):
        context = {
            "alert": alert,
            "look": places.look_at(alert),
            "stop": settings.SITE_URL + reverse("stations:stop_alert", args=[stop_key(alert.id)]),
            "page": settings.SITE_URL + reverse("stations:alerts"),
            "station": settings.SITE_URL + reverse("stations:station", args=[alert.feed, alert.station_id]),
        }
        subject, _newline, body = render_to_string("stations/alerts/mail.txt", context).partition("\n")
    send_once(" ".join(subject.split()), body.strip() + "\n", to=contact.email)
    return now


def stop_key(alert_id: UUID) -> str:
    """Return the key of the link that stops this alert, for whoever reads the mail."""
    return _signer.sign(str(alert_id))


def stopped_by(key: str) -> UUID | None:
    """Return the alert that this key stops, or None if the site has not signed the key."""
    try:
        return UUID(_signer.unsign(key))
    except (BadSignature, ValueError):
        return None
