"""Leases, each with one owner: relay, dispatcher, poller. No wall clock is compared between machines."""

import time
from uuid import uuid4

from django.db.models import F

from eventbus import failpoints
from eventbus.errors import LeaseLost
from eventbus.models import LeaseRow

LEASE_SECONDS = 3.0  # a standby takes over after this long without a beat: several beats, so a pause is tolerated
LOOKS_MIN = 4  # a silence needs so many looks: the time between two counts for no more than its part of the lease
BEAT_SECONDS = 1.0
LOOK_SECONDS = 0.1  # between looks at another's beat, so that a beat is seen soon


class Lease:
    """A named lease with one owner at a time. A standby takes over once the owner has not renewed it for LEASE_SECONDS.

    The standby measures this by its own clock. A lock or a queue of writers may hold up the standby as well as the
    owner. So between two looks of the standby, at most a LOOKS_MIN-th of the time counts.
    """

    def __init__(self, name: str, *, seconds: float = LEASE_SECONDS) -> None:
        self.name = name
        self.owner = uuid4().hex
        self.epoch = 0
        self._seconds = seconds
        self._beaten = 0  # the highest beat that we have seen of ours
        self._seen: tuple[str, int] | None = None
        self._looked_at = 0.0
        self._silence = 0.0

    def acquire(self) -> bool:
        """Try to become the owner: at once when it is free, else once the owner has stopped beating."""
        with failpoints.atomic("lease.acquire"):
            LeaseRow.objects.get_or_create(name=self.name)
            row = LeaseRow.objects.select_for_update().get(name=self.name)
            if row.owner not in ("", self.owner) and not self._silent(row.owner, row.beat):
                return False
            row.owner, row.beat, row.epoch = self.owner, row.beat + 1, row.epoch + 1
            row.save()
        self.epoch, self._beaten = row.epoch, row.beat
        self._seen = None
        return True

    def _silent(self, owner: str, beat: int) -> bool:
        now = time.monotonic()
        if self._seen == (owner, beat):
            self._silence += min(now - self._looked_at, self._seconds / LOOKS_MIN)
        else:
            self._seen, self._silence = (owner, beat), 0.0
        self._looked_at = now
        return self._silence >= self._seconds

    def beat(self) -> None:
        """Renew the lease in a transaction of its own. Raises LeaseLost."""
        with failpoints.atomic("lease.beat"):
            self.check()

    def check(self) -> None:
        """Lock the lease for the rest of the current transaction; this is a beat as well. Raises LeaseLost."""
        mine = LeaseRow.objects.filter(name=self.name, owner=self.owner, epoch=self.epoch)
        if not mine.update(beat=F("beat") + 1):
            raise LeaseLost(f"{self.name} has another owner")

    def refuse_earlier(self) -> None:
        """Raise LeaseLost if the stored `beat` is lower than this owner has seen: the database was restored.

        What this process remembers of the database is then wrong.
        """
        beat = _beat(self.name) or 0
        if beat < self._beaten:
            raise LeaseLost(f"{self.name} is as it was {self._beaten - beat} beats ago: the database was restored")
        self._beaten = beat

    def release(self) -> None:
        """Free the lease for the next owner at once. Harmless when it was lost."""
        with failpoints.atomic("lease.release"):
            LeaseRow.objects.filter(name=self.name, owner=self.owner, epoch=self.epoch).update(owner="")

    def held_by_another(self) -> bool:
        """Return True if another owns it. Only a beat that moves within LEASE_SECONDS shows that the owner lives."""
        return LeaseRow.objects.filter(name=self.name).exclude(owner__in=["", self.owner]).exists()


def is_beating(name: str, *, seconds: float = LEASE_SECONDS, free_seconds: float = 0.0) -> bool:
    """Return True if the owner of a lease is alive: it renews the lease. Waits at most `seconds`, for a dead owner.

    `free_seconds`: how long to wait while the lease has no owner.
    """
    lease, seen, began = Lease(name), _beat(name), time.monotonic()
    while True:
        enough = seconds if lease.held_by_another() else free_seconds
        if _beat(name) != seen:
            return True
        if time.monotonic() - began >= enough:
            return False
        time.sleep(LOOK_SECONDS)


def _beat(name: str) -> int | None:
    return LeaseRow.objects.filter(name=name).values_list("beat", flat=True).first()
