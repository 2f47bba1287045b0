from typing import ClassVar

from eventbus import Event


class Called(Event):
    """Somebody in the crowd called a number."""

    wire_name: ClassVar[str] = "crowd.called"
    topic: ClassVar[str] = "crowd"
    key_fields: ClassVar[tuple[str, ...]] = ("name",)

    name: str
    number: int
