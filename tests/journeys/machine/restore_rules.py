"""The database goes back to a backup while everything else goes on, and an operator repairs what that leaves.

A backup is a savepoint of the day, and its restore is a rollback to it. The payment provider, the letterbox and a log
elsewhere are not restored: they are ahead of the database. The shop stays closed until nothing differs any more.
"""

from dataclasses import dataclass
from uuid import UUID

from django.core import mail
from django.db import transaction
from hypothesis import strategies as st
from hypothesis.stateful import rule

from eventbus import clock
from eventbus.testing import forget, settle
from mcommerce.orders.models import Order
from outside import circuit_breaker
from tests.event_history import Event, Told
from tests.eventbus.test_commands import run
from tests.journeys.machine.environment import Floor
from tests.journeys.machine.operator_rules import OperatedMachine
from tests.liveness_oracle import Liveness

RECONCILED_MAX = 20  # rounds of repair, a minute each: what is parked is tried again within them


@dataclass
class Backup:
    """What the database holds at this time, and what the day knows of it."""

    savepoint: str
    came: dict[UUID, int]
    left_in_cart: dict[UUID, int]
    told: Told
    paused: set[str]
    lost: set[Event]
    mails: int


class RestoredMachine(OperatedMachine):
    """A database that may be restored."""

    def __init__(self, floor: Floor) -> None:
        super().__init__(floor)
        self.backup = self._back_up()
        self.restored = False

    @rule(back=st.booleans())
    def keep(self, back: bool) -> None:
        """Make a backup, or restore the last one: each day begins with one."""
        if back:
            self.restore()
        else:
            self.backup = self._back_up()

    def _back_up(self) -> Backup:
        return Backup(
            savepoint=transaction.savepoint(),
            came=dict(self.came),
            left_in_cart=dict(self.left_in_cart),
            told=self.told.copy(),
            paused=set(self.paused),
            lost=set(self.lost),
            mails=len(mail.outbox),
        )

    def restore(self) -> None:
        """All processes stop, the database is restored, and an operator does what docs/operations.md says."""
        self.floor.typed["restore"] += 1
        self.restored = True
        forget()
        circuit_breaker.forget()
        transaction.savepoint_rollback(self.backup.savepoint)
        kept, self.live = self.backup, Liveness()
        self.came, self.left_in_cart, self.told = dict(kept.came), dict(kept.left_in_cart), kept.told.copy()
        self.paused, self.lost = set(kept.paused), set(kept.lost)
        del mail.outbox[kept.mails :]  # who got them may get them again
        self.unheard = 0
        self.floor.trouble.order("", "")
        self.company.trouble = ""
        with self._calm():
            code, said, complaint = run("eventbus", "restored", "--apply")
            assert code == 0, complaint
            self.floor.typed["forgotten"] += "it has forgotten events" in said  # where the log lies elsewhere
            self.reconcile_all()

    def reconcile_all(self) -> None:
        """Until nothing differs."""
        for _ in range(RECONCILED_MAX):
            settle(raise_errors=False)
            self._operator()
            settle(raise_errors=False)
            if not (differ := self.differences()):
                return
            self.floor.typed["reconcile"] += 1
            clock.advance(minutes=1)
        raise AssertionError(f"I9: repaired for {RECONCILED_MAX} minutes, and still: {differ}")

    def is_here(self, order: UUID) -> bool:
        return not self.restored or Order.objects.filter(id=order).exists()

    def wait_for_the_end(self) -> None:
        super().wait_for_the_end()
        if self.restored:  # somebody may have paid where the shop sends nobody any more
            self.reconcile_all()
            super().wait_for_the_end()
