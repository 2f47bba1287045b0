from typing import ClassVar

from eventbus import Event


class Lingered(Event):
    """Something that takes its time."""

    wire_name: ClassVar[str] = "slow.lingered"
    topic: ClassVar[str] = "slow"
    key_fields: ClassVar[tuple[str, ...]] = ("name",)

    name: str
