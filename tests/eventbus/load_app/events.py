from eventbus import Event


class Called(Event, name="crowd.called", topic="crowd", key="name"):
    """Somebody in the crowd called a number."""

    name: str
    number: int
