"""A problem that operators must see: a sentence, with what a page needs to show it."""

from collections.abc import Iterable
from datetime import datetime
from typing import Self


class Problem(str):
    """A sentence that says what is wrong, and the remedy.

    `kind` is the same for all problems of one kind, such as "lag". `about` names the group or part that it concerns, ""
    for the whole bus. `since`: when it began, None if nobody knows. A feature's own problem has a `heading` in the
    reader's language, and the URL name of the `page` that shows it, "" if no page does. `row`: the id of the row that
    has a page of its own.
    """

    kind: str
    about: str
    since: datetime | None
    heading: str
    page: str
    row: int | None

    __slots__ = ("about", "heading", "kind", "page", "row", "since")

    def __new__(
        cls,
        text: str,
        *,
        kind: str,
        about: str = "",
        since: datetime | None = None,
        heading: str = "",
        page: str = "",
        row: int | None = None,
    ) -> Self:
        problem = super().__new__(cls, text)
        problem.kind, problem.about, problem.since, problem.row = kind, about, since, row
        problem.heading, problem.page = heading, page
        return problem


def of_kind(kind: str, sentences: Iterable[str], *, since: datetime | None = None) -> list[Problem]:
    """Return a problem of this kind for each sentence."""
    return [Problem(text, kind=kind, since=since) for text in sentences]
