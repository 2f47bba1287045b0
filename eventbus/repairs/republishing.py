"""Append events to the log again, at its end, when an operator asks for it."""

from datetime import datetime

from django.db.models import QuerySet

from eventbus import clock, failpoints
from eventbus.backends.base import Backend
from eventbus.consuming import outbox_backfill
from eventbus.errors import LogUnavailable
from eventbus.models import WHO_CHARACTERS_MAX, OperatorAction, OutboxRow, Progress, TopicLog
from eventbus.progress import replay_runs
from eventbus.progress.log_generations import note
from eventbus.recovery.topic_recovery import Refilled, unsend

SAID_AGAIN = "Events of it were appended to the log again meanwhile: begin another once the group has passed them"


def republish(backend: Backend, topic: str, since: datetime, who: str) -> Refilled:
    """Let the relay append again, at the log's end, the topic's events published since `since`. Return how many.

    `who`: the operator's name. Groups keep their offsets. After a loss of the log no call is needed: the relay appends
    all its events again by itself, and this does nothing. Raises LogUnavailable.
    """
    generations = backend.generations([topic])
    known = TopicLog.objects.filter(topic=topic).values_list("generation", flat=True).first()
    if not _told(topic, since).exists() or known not in (None, generations.get(topic)):
        return Refilled(topic, 0)
    if topic not in generations:
        raise LogUnavailable(f"The brokers have no topic for {topic}: make it with manage.py eventbus topics --apply")
    outbox_backfill.refuse_behind(backend, topic)
    with failpoints.atomic("republish"):
        held = Progress.objects.select_for_update().filter(topic=topic).order_by("id")
        note(topic, generations[topic])
        events, _ = unsend(held, _told(topic, since), topic)
        replay_runs.end(topic, SAID_AGAIN)
        OperatorAction.objects.create(
            at=clock.now(),
            who=who[:WHO_CHARACTERS_MAX],
            action=OperatorAction.Action.REPUBLISH,
            error=f"{topic}: {events} events that were told since {since.isoformat()}",
        )
    return Refilled(topic, events)


def count(topic: str, since: datetime) -> Refilled:
    """Count the events that `republish` would append."""
    return Refilled(topic, _told(topic, since).count())


def _told(topic: str, since: datetime) -> QuerySet[OutboxRow]:
    return OutboxRow.objects.filter(topic=topic, offset__isnull=False, created_at__gte=since)
