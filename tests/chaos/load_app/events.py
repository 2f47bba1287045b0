from typing import ClassVar

from eventbus import Event


class Called(Event):
    """Somebody called."""

    wire_name: ClassVar[str] = "town.called"
    topic: ClassVar[str] = "calls"
    key_fields: ClassVar[tuple[str, ...]] = ("name",)

    name: str
    token: str


class Reminded(Event):
    """The time has come for something that was arranged before."""

    wire_name: ClassVar[str] = "town.reminded"
    topic: ClassVar[str] = "calls"
    key_fields: ClassVar[tuple[str, ...]] = ("name",)

    name: str
    token: str


class Answered(Event):
    """Somebody who called was answered."""

    wire_name: ClassVar[str] = "town.answered"
    topic: ClassVar[str] = "answers"
    key_fields: ClassVar[tuple[str, ...]] = ("name",)

    name: str
    token: str
