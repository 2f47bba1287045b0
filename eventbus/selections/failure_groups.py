"""The open dead letters, grouped by cause."""

from datetime import datetime

import msgspec
from django.db.models import Count, Max, Min, QuerySet

from eventbus.models import DeadLetter

GROUPS_SHOWN_MAX = 100  # causes on one page: more of them are one fault, such as a lost table, and nobody reads on


class FailureGroup(msgspec.Struct, frozen=True):
    """A cause, and the open dead letters that have it. `asked`: how many of them wait for a worker."""

    cause: str
    count: int
    asked: int
    first_at: datetime
    last_at: datetime
    group: str
    type: str
    handler: str
    error_class: str
    code_line: str


def letters_of(cause: str) -> QuerySet[DeadLetter]:
    """Return the open dead letters of a cause."""
    return DeadLetter.objects.filter(state=DeadLetter.State.OPEN, cause=cause)


def failure_groups(cause: str | None = None, *, at_most: int = GROUPS_SHOWN_MAX) -> list[FailureGroup]:
    """Return the causes of open dead letters, those with most letters first; with `cause` that one or none."""
    letters = DeadLetter.objects.filter(state=DeadLetter.State.OPEN) if cause is None else letters_of(cause)
    # From the index alone: the rows hold payloads and tracebacks.
    counted = (
        letters.order_by()
        .values("cause")
        .annotate(count=Count("id"), first_at=Min("died_at"), last_at=Max("died_at"), newest=Max("id"))
    )
    rows = list(counted.order_by("-count", "-last_at")[:at_most])
    columns = ("group", "type", "handler", "error_class", "code_line")
    described = DeadLetter.objects.only(*columns).in_bulk([row["newest"] for row in rows])
    asked = _asked([row["cause"] for row in rows])
    return [
        FailureGroup(
            cause=row["cause"],
            count=row["count"],
            asked=asked.get(row["cause"], 0),
            first_at=row["first_at"],
            last_at=row["last_at"],
            **{name: str(getattr(described[row["newest"]], name)) for name in columns},
        )
        for row in rows
        if row["newest"] in described  # a worker may have requeued it in between
    ]


def _asked(causes: list[str]) -> dict[str, int]:
    waiting = DeadLetter.objects.filter(request__gt="", state=DeadLetter.State.OPEN, cause__in=causes)
    return dict(waiting.order_by().values_list("cause").annotate(Count("id")))
