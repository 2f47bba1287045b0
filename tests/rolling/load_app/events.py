from typing import ClassVar

from eventbus import Event


class Rang(Event):
    """Somebody rang, for the so manieth time."""

    wire_name: ClassVar[str] = "shift.rang"
    topic: ClassVar[str] = "rings"
    key_fields: ClassVar[tuple[str, ...]] = ("name",)

    name: str
    number: int


class Asked(Event):
    """Somebody asked what takes so many seconds to find out."""

    wire_name: ClassVar[str] = "shift.asked"
    topic: ClassVar[str] = "questions"
    key_fields: ClassVar[tuple[str, ...]] = ("name",)

    name: str
    seconds: float
