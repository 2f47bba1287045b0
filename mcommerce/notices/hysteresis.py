"""Decide from one check to the next which faults began and which ended. It knows no database and no clock."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from mcommerce.notices.models import FAULT_CHARACTERS_MAX, ToldFault
from mcommerce.overview.faults import Fault

BEGINS_AFTER = 2  # checks in a row: a fault that one check sees may be a request that waited
ENDS_AFTER = 3  # checks in a row: what just works again often fails again
AGAIN_AFTER = timedelta(hours=1)  # a fault that comes and goes is told once in this time
BEGAN, ENDED = "began", "ended"


class Notice(NamedTuple):
    """A notice that is due: that a fault `BEGAN` or `ENDED`."""

    what: str
    fault: ToldFault


class Hysteresis:
    """The state of all faults that a process has seen. `known`: the rows of an earlier owner."""

    def __init__(self, known: Iterable[ToldFault] = ()) -> None:
        self.faults = {one.id: one for one in known}
        self._seen, self._missed = Counter[str](), Counter[str]()

    def check(self, found: Iterable[Fault], now: datetime, *, whole: bool = True) -> list[Notice]:
        """Take the result of a check, and return the notices that follow.

        `whole`: False if not every part could be asked. Then a fault that is missing has not ended by that.
        """
        present = {one.id[:FAULT_CHARACTERS_MAX]: one for one in found}
        self._begin(present, now)
        if whole:
            self._end(present)
        return [*self._tell_beginnings(now), *self._tell_ends()]

    def _begin(self, present: Mapping[str, Fault], now: datetime) -> None:
        for name in set(self._seen) - set(present):
            del self._seen[name]
        for name, fault in present.items():
            self._seen[name] += 1
            self._missed.pop(name, None)
            row = self.faults.get(name)
            if row is None and self._seen[name] >= BEGINS_AFTER:
                row = self.faults[name] = ToldFault(id=name, since=fault.since or now)
            elif row is not None and not row.active and self._seen[name] >= BEGINS_AFTER:
                row.active, row.told, row.since = True, False, fault.since or now
            if row is not None and row.active:
                row.title, row.text, row.link = fault.title[:FAULT_CHARACTERS_MAX], str(fault.text), fault.link

    def _end(self, present: Mapping[str, Fault]) -> None:
        for name, row in self.faults.items():
            if row.active and name not in present:
                self._missed[name] += 1
                if self._missed[name] >= ENDS_AFTER:
                    row.active = False

    def _tell_beginnings(self, now: datetime) -> list[Notice]:
        told = []
        for row in self.faults.values():
            rested = row.told_at is None or now - row.told_at >= AGAIN_AFTER
            if row.active and not row.told and rested:
                row.told, row.told_at = True, now
                told.append(Notice(BEGAN, row))
        return told

    def _tell_ends(self) -> list[Notice]:
        told = []
        for row in self.faults.values():
            if not row.active and row.told:
                row.told = False
                self._missed.pop(row.id, None)
                told.append(Notice(ENDED, row))
        return told

    def forget(self, now: datetime) -> list[str]:
        """Forget the faults that ended, of which nobody needs to be told, and return their ids."""
        over = [
            name
            for name, row in self.faults.items()
            if not row.active
            and not (row.told or row.mail_due or row.webhook_due)
            and (row.told_at is None or now - row.told_at >= AGAIN_AFTER)
        ]
        for name in over:
            del self.faults[name]
        return over
