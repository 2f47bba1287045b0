"""Cheap checks of the bus for a readiness probe. Each returns one sentence with the remedy, or an empty text."""

from datetime import timedelta

from django.db.models import Min

from eventbus import backends, clock
from eventbus.errors import LogUnavailable
from eventbus.models import OutboxRow, Timer
from eventbus.publishing import rejected_records
from eventbus.recovery import divergence
from eventbus.registry import topics


def broker_problem() -> str:
    """Return a sentence if the log does not answer or lacks a topic. Waits a second or two at most."""
    backend, read = backends.current(), topics()
    try:
        found = backend.generations(read)
    except LogUnavailable as error:
        return f"{error}: are the brokers running, and is KAFKA_BOOTSTRAP_SERVERS right?"
    if backend.topics is None:
        return ""  # the outbox table is the log, and the database has a check of its own
    missing = ", ".join(backend.topics.name(topic) for topic in read if topic not in found)
    return f"topics are missing: {missing}. Make them with manage.py eventbus topics --apply" if missing else ""


def restore_problem() -> str:
    """Return a sentence with the remedy if the database went back to an earlier time, else an empty text."""
    return next(iter(divergence.problems()), "")


def outbox_problem(seconds_max: float) -> str:
    """Return a text with the age of the oldest unsent event or overdue timer if it is over `seconds_max`, else "".

    Events that wait for an operator's decision about a rejected record do not count: `eventbus status` names them.
    """
    unsent = OutboxRow.objects.filter(rejected_records.UNSENT).filter(rejected_records.not_behind())
    created_at = unsent.order_by("id").values_list("created_at", flat=True).first()
    due = Timer.objects.aggregate(due=Min("due"))["due"]
    for what, since in (("unsent event", created_at), ("overdue timer", due)):
        if since is not None and clock.now() - since > timedelta(seconds=seconds_max):
            age = (clock.now() - since).total_seconds()
            return f"the oldest {what} is {age:.0f} s old: manage.py eventbus status says whether somebody relays"
    return ""
