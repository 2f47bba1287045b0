"""Which log all offsets of a topic are of: its name on the brokers (`generation`), kept beside the offsets."""

from eventbus import clock
from eventbus.models import TopicLog

UNKNOWN = ""  # once it has lost something: the relay fills it again at its next look, whatever it is called


def note(topic: str, generation: str) -> None:
    """All offsets of the topic are of this log from now on."""
    TopicLog.objects.update_or_create(topic=topic, defaults={"generation": generation, "noted_at": clock.now()})
