"""Leases: each has one owner at a time, such as the relay or a poller. No clocks of two machines are compared."""

import time
from uuid import uuid4

from django.db.models import F

from eventbus import failpoints
from eventbus.errors import LeaseLost
from eventbus.models import LeaseRow

RELAY = "dispatcher"  # the lease of the process that relays
LEASE_SECONDS = 3.0  # a standby takes over after this time without a beat: three beats, so one may be late
LOOKS_MIN = 4  # looks before a standby takes over: between two at most this part of the lease counts as silence
BEAT_SECONDS = 1.0
LOOK_SECONDS = 0.1  # between two looks at the beat of another owner


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
        self._beaten = 0  # the highest stored beat that this owner has seen
        self._seen: tuple[str, int] | None = None
        self._looked_at = 0.0
        self._silence = 0.0

    def acquire(self) -> bool:
        """Try to become the owner, and return True if that succeeds.

        It succeeds if the lease is free, or once its owner has not renewed it for LEASE_SECONDS.
        """
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
        """Renew the lease in a transaction of its own. Raises LeaseLost if it has another owner."""
        with failpoints.atomic("lease.beat"):
            self.check()

    def check(self) -> None:
        """Renew the lease in the current transaction, which keeps it locked until its end.

        Raises LeaseLost if it has another owner.
        """
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
        """Free the lease, so that the next owner gets it at once. Harmless if it was lost."""
        with failpoints.atomic("lease.release"):
            LeaseRow.objects.filter(name=self.name, owner=self.owner, epoch=self.epoch).update(owner="")

    def held_by_another(self) -> bool:
        """Return True if the lease has another owner, dead or alive. A live one renews it within LEASE_SECONDS."""
        return LeaseRow.objects.filter(name=self.name).exclude(owner__in=["", self.owner]).exists()


def hold(name: str) -> None:
    """Let the owner of a lease write nothing under it until the caller's transaction ends.

    Call it before other rows are locked, as the owner does.
    """
    list(LeaseRow.objects.select_for_update().filter(name=name))


def is_beating(name: str, *, seconds: float = LEASE_SECONDS, free_seconds: float = 0.0) -> bool:
    """Return True if the owner of a lease is alive, which means that it renews the lease.

    Waits for `seconds` at most, if the owner is dead. `free_seconds`: how long to wait while the lease has no owner.
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
