"""The things that events are about, as their features know them: name, page, keys of events, answers, and a history."""

from datetime import datetime
from typing import Literal

import msgspec

Tone = Literal["", "good", "bad", "waits"]


class Fact(msgspec.Struct, frozen=True):
    """Something that happened to a subject and that no event tells, such as a row that changed.

    `text` is in the reader's language. `personal` names a person, such as a mail's recipient: only who may look into
    payloads sees it.
    """

    at: datetime
    text: str
    personal: str = ""
    tone: Tone = ""


class Answer(msgspec.Struct, frozen=True):
    """A question that staff ask about a subject, and its answer in plain words, both in the reader's language.

    `at`: the time that the answer is about. `personal`: as of a fact. `tone`: "waits" if more must come, "bad" if a
    person must act.
    """

    question: str
    text: str
    at: datetime | None = None
    personal: str = ""
    tone: Tone = ""


class Subject(msgspec.Struct, frozen=True):
    """A thing that events are about, such as an order. `title` is in the reader's language.

    `keys`: the keys of its events. `permission`: what a reader needs to see it, such as "orders.view_order". `page`:
    the path of staff's page about it, "" if there is none. `answers`: what became of it, above its history `facts`.
    """

    title: str
    keys: tuple[str, ...]
    permission: str
    page: str = ""
    facts: tuple[Fact, ...] = ()
    answers: tuple[Answer, ...] = ()
