"""The webhook of an alert: a signed post, tried again with longer pauses. A receiver that fails is its rider's matter.

So a failure is an answer to the bus and no error of the effect: one rider's receiver must neither stop the others' nor
call an operator.
"""

import ipaddress
from datetime import timedelta
from urllib.parse import urlsplit

import msgspec
from django.conf import settings
from django.urls import reverse

from eventbus import clock, publish
from outside import http
from outside.webhooks import SIGNATURE_HEADER, sign
from stations.alerts import places
from stations.alerts.episodes import is_quiet
from stations.alerts.mail import waiting
from stations.alerts.riders import contact_of
from stations.events import StationWebhookDue
from stations.models import ERROR_LENGTH_MAX, Alert

WEBHOOK_SECONDS = 5.0  # for the whole exchange: those of other riders wait for it
ANSWER_BYTES_MAX = 64 * 1024  # nobody reads the answer; a greater one is no answer of a webhook
PAUSES = tuple(timedelta(seconds=seconds) for seconds in (10, 60, 300, 900))  # before a further try, then given up
ID_HEADER = "Mcommerce-Alert"
TAKEN = ""  # the answer for a success; any other text says why it was not taken


def is_allowed(url: str) -> bool:
    """Return whether this may be the address of a webhook: public, over TLS, without a password in it.

    A name is looked up with each post, and its address is checked then.
    """
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname or "", parts.port
    except ValueError:
        return False
    if not host or parts.username is not None or not url.isascii() or any(one.isspace() for one in url):
        return False
    if settings.STATIONS_PRIVATE_WEBHOOKS:
        return parts.scheme in ("http", "https")
    return parts.scheme == "https" and _is_public(host)


def _is_public(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return "." in host.strip(".")  # a name without a dot is one of this network
    return http.is_public(host)


def post(event: StationWebhookDue) -> str | None:
    """Post the episode. Return why it was not taken, `TAKEN` for a success, or None if there is nothing to tell."""
    now = clock.now()
    alert = waiting(event, now)
    if alert is None or not alert.webhook or alert.posted_episode >= event.episode:
        return None
    if is_quiet(alert, now) or contact_of(alert.owner) is None:
        return None
    if not is_allowed(alert.webhook):
        return "address not allowed"
    body = _body(alert)
    headers = {
        "Content-Type": "application/json",
        ID_HEADER: _id(alert),
        SIGNATURE_HEADER: sign(body, secret=alert.secret, at=int(now.timestamp())),
    }
    try:
        answer = http.ask(
            "POST",
            alert.webhook,
            seconds=WEBHOOK_SECONDS,
            bytes_max=ANSWER_BYTES_MAX,
            public_only=not settings.STATIONS_PRIVATE_WEBHOOKS,
            secret_url=True,
            data=body,
            headers=headers,
        )
    except http.NoAnswer as none:
        return str(none)
    return TAKEN if 200 <= answer.status < 300 else f"refused with status {answer.status}"


def _id(alert: Alert) -> str:
    """Return the id of a message. It is the same for each try, so that a receiver can leave out repetitions."""
    return f"{alert.id}-{alert.episode}"


def _body(alert: Alert) -> bytes:
    seen = places.look_at(alert)
    return msgspec.json.encode(
        {
            "id": _id(alert),
            "type": f"station.{alert.kind}",
            "threshold": alert.threshold,
            "counted": seen and seen.counted,
            "place": alert.place,
            "feed": alert.feed,
            "station_id": alert.station_id,
            "radius_m": alert.radius_m,
            "since": alert.began_at,
            "link": settings.SITE_URL + reverse("stations:station", args=[alert.feed, alert.station_id]),
        }
    )


def note(event: StationWebhookDue, outcome: str | None) -> None:
    """Keep the outcome, and publish the next try after a failure."""
    if outcome is None:
        return
    told = {"posted_episode": event.episode} if outcome == TAKEN else {}
    Alert.objects.filter(id=event.alert_id).update(webhook_error=outcome[:ERROR_LENGTH_MAX], **told)
    if outcome != TAKEN and event.tries < len(PAUSES):
        again = msgspec.structs.replace(event, tries=event.tries + 1)
        publish(again, due=clock.now() + PAUSES[event.tries])
