"""The things that events are about, as their features know them: name, page, keys of events, and a history."""

from datetime import datetime

import msgspec


class Fact(msgspec.Struct, frozen=True):
    """Something that happened to a subject and that no event tells. `text` is in the reader's language."""

    at: datetime
    text: str


class Subject(msgspec.Struct, frozen=True):
    """A thing that events are about, such as an order. `title` is in the reader's language.

    `keys`: the keys of its events. `permission`: what a reader needs to see it, such as "orders.view_order". `page`:
    the path of staff's page about it, "" if there is none.
    """

    title: str
    keys: tuple[str, ...]
    permission: str
    page: str = ""
    facts: tuple[Fact, ...] = ()
