from eventbus import Event


class Rang(Event, name="shift.rang", topic="rings", key="name"):
    """Somebody rang, for the so manieth time."""

    name: str
    number: int


class Asked(Event, name="shift.asked", topic="questions", key="name"):
    """Somebody asked what takes so many seconds to find out."""

    name: str
    seconds: float
