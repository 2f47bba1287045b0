from eventbus import Event


class Called(Event, name="town.called", topic="calls", key="name"):
    """Somebody called."""

    name: str
    token: str


class Reminded(Event, name="town.reminded", topic="calls", key="name"):
    """The time has come for something that was arranged before."""

    name: str
    token: str


class Answered(Event, name="town.answered", topic="answers", key="name"):
    """Somebody who called was answered."""

    name: str
    token: str
