"""Store for each topic to which log its offsets belong: the log's name on the brokers (`generation`)."""

from collections.abc import Collection

from eventbus import clock
from eventbus.backends.base import Backend
from eventbus.errors import LogUnavailable
from eventbus.models import TopicLog
from eventbus.registry import Group

UNKNOWN = ""  # stored for a log that lost records: the relay fills it again at its next check, whatever its name is


def note(topic: str, generation: str) -> None:
    """Store that from now on all offsets of the topic belong to this log."""
    TopicLog.objects.update_or_create(topic=topic, defaults={"generation": generation, "noted_at": clock.now()})


def lock(topics: Collection[str], *, wait: bool = True) -> None:
    """Let no relay fill these logs again, no group begin in them and nothing be pruned of them.

    It lasts until the caller's transaction ends. Call it before progress rows are locked, or without `wait`: then it
    raises OperationalError (contention) while another transaction holds the lock.
    """
    list(TopicLog.objects.select_for_update(nowait=not wait).filter(topic__in=topics).order_by("topic"))


def refuse_others(backend: Backend, group: Group, topics: Collection[str]) -> None:
    """Raise LogUnavailable if one of these logs was recreated and is not filled again yet.

    The stored offsets mean nothing in such a log. Relays may have appended records before they noticed the loss, and a
    group would take those for its next ones. Kafka loses the group with the log. So it assigns partitions again, and
    this check is repeated, before any of the new log is read.
    """
    there = backend.generations(topics)
    known = TopicLog.objects.filter(topic__in=group.topics).values_list("topic", "generation")
    for topic, log in known:
        if there.get(topic, log) != log:
            raise LogUnavailable(f"the log of {topic} was made anew, and waits for the relay to fill it again")
