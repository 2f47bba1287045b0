"""Count in one query what waits for somebody: dead letters, parked keys, timers, and what operators must see."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

from django.db.models import CharField, Count, F, Min, Q, QuerySet, Value

from eventbus import clock
from eventbus.models import DeadLetter, Divergence, IgnoredType, OutboxRow, ParkedKey, ReplayRun, Timer, UntrustedRecord
from eventbus.publishing import rejected_records
from eventbus.recovery import lost_records
from eventbus.repairs import failing_replays

RETRYING_SECONDS_MAX = 600.0  # a key retried for longer is reported: restarts and eight attempts take less
# A key whose event has failed so often is reported: within three seconds by the default backoff. One failure, or two,
# may be a lock or a lost race.
FAILED_ATTEMPTS = 3
OVERDUE_SECONDS = 60.0  # a timer is published in the second at which it is due
DEAD_LETTERS, RETRYING_KEYS, DEAD_KEYS, TIMERS = "dead letters", "retrying keys", "dead keys", "timers"
# Tables that are empty unless an operator must act. The tally says whether to read them.
LOST, DIVERGED, IGNORED, UNTRUSTED, REJECTED = "lost", "diverged", "ignored", "untrusted", "rejected"
REPLAYS = "replays"


class Counted(NamedTuple):
    """So many rows of a group and topic, since when, and how many of them are late. Some tables have no group."""

    what: str
    group: str
    topic: str
    number: int
    since: datetime
    late: int


class Tally:
    """The counts at one time."""

    def __init__(self, rows: list[Counted]) -> None:
        self.rows = [row for row in rows if row.number]  # an empty table without groups has a row with 0

    def of(self, what: str) -> list[Counted]:
        """Return the counts of one kind, by group and topic."""
        return [row for row in self.rows if row.what == what]

    def by_topic(self, what: str) -> dict[tuple[str, str], int]:
        """Return the numbers of one kind by group and topic."""
        return {(row.group, row.topic): row.number for row in self.of(what)}

    def late(self, what: str) -> dict[str, int]:
        """Return, by group, the numbers of one kind that are late."""
        found: dict[str, int] = {}
        for row in sorted(self.of(what)):
            if row.late:
                found[row.group] = found.get(row.group, 0) + row.late
        return found

    def count(self, what: str) -> int:
        """Return the number of one kind."""
        return sum(row.number for row in self.of(what))

    def since(self, what: str) -> datetime | None:
        """Return the oldest time of one kind, None if there is none."""
        return min((row.since for row in self.of(what)), default=None)


def read() -> Tally:
    """Count now."""
    first, *others = _queries(clock.now())
    return Tally([Counted(*row) for row in first.union(*others, all=True)])


def _queries(now: datetime) -> Iterator[QuerySet[Any]]:
    retrying, dead = (
        ParkedKey.objects.filter(state=state) for state in (ParkedKey.State.RETRYING, ParkedKey.State.DEAD)
    )
    fails = Q(parked_at__lt=now - timedelta(seconds=RETRYING_SECONDS_MAX)) | Q(attempts__gte=FAILED_ATTEMPTS)
    overdue = Q(due__lt=now - timedelta(seconds=OVERDUE_SECONDS))
    by_group = {"whose": F("group"), "of": F("topic")}
    yield _counted(DEAD_LETTERS, DeadLetter.objects.filter(state=DeadLetter.State.OPEN), "died_at", by=by_group)
    yield _counted(RETRYING_KEYS, retrying, "parked_at", late=fails, by=by_group)
    yield _counted(DEAD_KEYS, dead, "parked_at", by=by_group)
    yield _counted(TIMERS, Timer.objects.all(), "due", late=overdue)
    yield _counted(LOST, lost_records.waiting(), "noted_at")
    yield _counted(DIVERGED, Divergence.objects.all(), "noted_at")
    yield _counted(IGNORED, IgnoredType.objects.all(), "first_at")
    yield _counted(UNTRUSTED, UntrustedRecord.objects.all(), "seen_at")
    yield _counted(REPLAYS, ReplayRun.objects.filter(failing_replays.may_fail(now)), "began_at")
    yield _counted(REJECTED, OutboxRow.objects.filter(rejected_records.WAITS), "created_at")


def _counted(
    what: str, rows: QuerySet[Any], at: str, *, late: Q | None = None, by: Mapping[str, F] = MappingProxyType({})
) -> QuerySet[Any]:
    """Return the query that counts rows. `at`: the field with their time. `late`: a filter. `by`: the columns."""
    nobody = Value("", output_field=CharField())
    columns = {"what": Value(what, output_field=CharField()), "whose": nobody, "of": nobody, **by}
    counts = {"number": Count("pk"), "since": Min(at), "late": Count("pk", filter=late) if late else Value(0)}
    counted: QuerySet[Any] = rows.order_by().values(**columns).annotate(**counts).values_list(*columns, *counts)
    return counted
