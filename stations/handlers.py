"""The event handlers of the stations: their history, and the alerts of riders."""

from datetime import datetime

from eventbus import effect, handles
from outside.mail import MAIL_ATTEMPTS_MAX
from stations.alerts import mail, watching, webhooks
from stations.events import PollFinished, StationAlertDue, StationChanged, StationWebhookDue
from stations.history.recording import record_answer, record_change
from stations.services import recording


@handles(StationChanged, group="stations", replayable=True)
def write_history(event: StationChanged) -> None:
    recording.write_history(event)
    record_change(event)


@handles(PollFinished, group="stations", replayable=True)
def write_answer(event: PollFinished) -> None:
    record_answer(event)


@handles(StationChanged, group="stations-alerts", on_dead="skip")
def watch_places(event: StationChanged) -> None:
    watching.note_change(event)


@handles(PollFinished, group="stations-alerts", on_dead="skip")
def watch_feeds(event: PollFinished) -> None:
    watching.note_poll(event)


@effect(
    StationAlertDue,
    group="stations-alerts-mail",
    record=watching.note_told,
    on_unknown_outcome="never",
    attempts=MAIL_ATTEMPTS_MAX,
    on_dead="skip",
)
def mail_rider(event: StationAlertDue, *, idempotency_key: str) -> datetime | None:
    return mail.send(event)


@effect(
    StationWebhookDue,
    group="stations-alerts-webhook",
    record=webhooks.note,
    on_unknown_outcome="retry",
    on_dead="skip",
)
def tell_webhook(event: StationWebhookDue, *, idempotency_key: str) -> str | None:
    return webhooks.post(event)
