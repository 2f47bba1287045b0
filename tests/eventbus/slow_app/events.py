from eventbus import Event


class Lingered(Event, name="slow.lingered", topic="slow", key="name"):
    """Something that takes its time."""

    name: str
