"""The log that all offsets of a topic are of: its name on the brokers (`generation`), stored beside the offsets."""

from collections.abc import Collection

from eventbus import clock
from eventbus.backends.base import Backend
from eventbus.errors import LogUnavailable
from eventbus.models import TopicLog
from eventbus.registry import Group

UNKNOWN = ""  # of a log that lost something: the relay fills it again at its next look, whatever its name


def note(topic: str, generation: str) -> None:
    """Note that all offsets of the topic are of this log from now on."""
    TopicLog.objects.update_or_create(topic=topic, defaults={"generation": generation, "noted_at": clock.now()})


def refuse_others(backend: Backend, group: Group, topics: Collection[str]) -> None:
    """Raise LogUnavailable if a log was recreated and is not filled again yet: stored offsets mean nothing in it.

    Relays may have appended records before they noticed the loss: those would be taken for the next ones. Kafka loses
    the group with the log, so it assigns partitions again before any of the log is read.
    """
    there = backend.generations(topics)
    known = TopicLog.objects.filter(topic__in=group.topics).values_list("topic", "generation")
    for topic, log in known:
        if there.get(topic, log) != log:
            raise LogUnavailable(f"the log of {topic} was made anew, and waits for the relay to fill it again")
