"""The log that all offsets of a topic are of: its name on the brokers (`generation`), stored beside the offsets."""

from eventbus import clock
from eventbus.models import TopicLog

UNKNOWN = ""  # of a log that lost something: the relay fills it again at its next look, whatever its name


def note(topic: str, generation: str) -> None:
    """Note that all offsets of the topic are of this log from now on."""
    TopicLog.objects.update_or_create(topic=topic, defaults={"generation": generation, "noted_at": clock.now()})
