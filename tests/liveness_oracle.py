"""Whether everything moves that is not parked; or `eventbus status` exits with 1 and names the group that stands.

What moves is asked of the tests' own record (`tests.event_history`), by the clock of the day.
"""

from collections.abc import Collection, Iterator
from datetime import datetime
from io import StringIO

from django.core.management import call_command
from django.core.management.base import CommandError

from eventbus import clock
from eventbus.models import DeadLetter, OutboxRow, ParkedEvent, Progress
from tests import event_history
from tests.event_history import Event, Unhandled

STANDS_SECONDS = 120.0  # twice what `status` gives a group whose handlers say nothing of their time
UNSENT = "The oldest unsent event"


class Liveness:
    """Remembers since when each event waits for each group. Look often: what came and went between is not seen."""

    def __init__(self) -> None:
        self._since: dict[Event, datetime] = {}

    def problems(self, paused: Collection[str] = ()) -> Iterator[str]:
        """Each group that stands and is not named. One that an operator has `paused` may stand."""
        now = clock.now()
        waiting = {one.event: one for one in moving() if one.team not in paused}
        self._since = {event: self._since.get(event, now) for event in waiting}
        late = [event for event, since in self._since.items() if (now - since).total_seconds() > STANDS_SECONDS]
        if late:
            yield from _unnamed([waiting[event] for event in late])


def moving() -> list[Unhandled]:
    """What a group has not passed, and is neither parked nor dead nor rejected by the log: it must move.

    What was passed and not handled never moves again: that is for `tests.event_history` to tell.
    """
    unhandled = event_history.unhandled()
    if not unhandled:
        return []
    still = {
        (group, event_id.hex)
        for table in (ParkedEvent, DeadLetter)
        for group, event_id in table._default_manager.values_list("group", "event_id")
    }
    rows = {row.event_id.hex: row for row in OutboxRow.objects.defer("payload", "headers")}
    rejected = {(row.topic, row.key) for row in rows.values() if row.rejected and row.offset is None}
    reached = {(row.group, row.topic, row.partition): row.offset for row in Progress.objects.all()}
    return [
        one
        for one in unhandled
        if one.event not in still
        and (one.topic, one.key) not in rejected
        and (row := rows.get(one.event_id)) is not None
        and (row.offset is None or row.offset >= reached.get((one.team, row.topic, row.partition), 0))
    ]


def status() -> tuple[int, str]:
    """Its exit code, and what it complains of."""
    try:
        call_command("eventbus", "status", "--no-audit", stdout=StringIO())
    except CommandError as error:
        return error.returncode, str(error)
    return 0, ""


def _unnamed(late: list[Unhandled]) -> Iterator[str]:
    code, complaint = status()
    unsent = {event_id.hex for event_id in OutboxRow.objects.filter(offset=None).values_list("event_id", flat=True)}
    for one in late:
        named = UNSENT if one.event_id in unsent else f"Group {one.team} "
        if code != 1 or named not in complaint:
            yield (
                f"{one.team} does not move: {one.kind} of {one.key} waits for over {STANDS_SECONDS:.0f} s, and status "
                f"says {code} {complaint!r}"
            )
