"""The thread that checks the faults and has operators told. Of all processes the owner of the lease does it."""

import logging
import threading
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from django.conf import settings
from django.db import DatabaseError, connections
from django.utils.translation import override

from eventbus import clock
from eventbus.database.leases import Lease
from eventbus.database.unit_of_work import unit_of_work
from eventbus.errors import LeaseLost
from eventbus.operations import status
from mcommerce.notices import delivery, failing_ways
from mcommerce.notices.hysteresis import Hysteresis
from mcommerce.notices.mail_pause import MailPause
from mcommerce.notices.models import ToldFault
from mcommerce.overview.faults import Fault, faults, faults_without_database
from mcommerce.readiness.impatience import impatient
from mcommerce.serving import background_threads

logger = logging.getLogger(__name__)

LEASE = "notices"
LEASE_SECONDS = 30.0  # six checks: another process takes over before an operator misses a notice
LOOK_SECONDS = 5.0  # between two checks: a fault is told within fifteen seconds
CLOSE_SECONDS = 6.0  # for the running check, in which a webhook may take five


def start() -> None:
    """Begin to check in the background until the process stops, if the settings name somebody to tell."""
    if settings.EVENTBUS_NOTIFY_MAIL or settings.EVENTBUS_NOTIFY_WEBHOOK:
        background_threads.run_beside("notices", FaultWatch().start())


class FaultWatch:
    """A watch over all faults, from `start()` until `close()`. `look` makes one check."""

    def __init__(self) -> None:
        self._lease = Lease(LEASE, seconds=LEASE_SECONDS)
        self._state: Hysteresis | None = None  # None while another process is the owner
        self._unsaved: set[str] = set()
        self._failed = Counter[str]()  # by fault, the posts of its notice that failed
        self._mail_pause = MailPause()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="notices", daemon=True)

    def start(self) -> "FaultWatch":
        """Start in the background."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """Begin no further check."""
        self._stop.set()

    def close(self) -> None:
        """End the thread, and leave the lease to another process."""
        self.stop()
        self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        connections["default"] = impatient(connections["default"])
        try:
            while not self._stop.wait(LOOK_SECONDS):
                try:
                    with unit_of_work():
                        self.look()
                except Exception:  # any: the next check may go well
                    logger.exception("The check of faults for notices failed")
            self._leave()
        finally:
            connections.close_all()

    def look(self) -> None:
        """Check once, if this process is the owner, and send what is due."""
        now = clock.now()
        reachable = self._own()
        if (state := self._state) is None:
            return
        with override(settings.EVENTBUS_NOTIFY_LANGUAGE):
            found, whole = _faults(reachable=reachable)
        before = {name: _values(row) for name, row in state.faults.items()}
        for notice in state.check(found, now, whole=whole):
            delivery.note_due(notice.what, notice.fault)
        self._unsaved |= {name for name, row in state.faults.items() if before.get(name) != _values(row)}
        if reachable:
            self._save(state, now)  # before sending: a process that dies in between has the next one send it
        due = [row for row in state.faults.values() if row.mail_due or row.webhook_due]
        outcomes = delivery.deliver(due, now, self._failed, self._mail_pause) if due else {}
        self._unsaved |= {row.id for row in due}
        if reachable:
            self._save(state, now, outcomes)

    def _own(self) -> bool:
        """Renew the lease, or try to get it. Return False if the database does not answer: an owner then goes on."""
        try:
            if self._state is not None:
                self._lease.beat()
            elif self._lease.acquire():
                self._state = Hysteresis(ToldFault.objects.all())
        except LeaseLost:
            self._state = None
        except DatabaseError:
            return False
        return True

    def _save(self, state: Hysteresis, now: datetime, outcomes: Mapping[str, str] = MappingProxyType({})) -> None:
        """Store what changed. Without a database it stays in memory, and is stored by a later check."""
        gone = state.forget(now)
        for name in gone:
            self._failed.pop(name, None)
        try:
            failing_ways.note(outcomes, now)
            for name in [one for one in self._unsaved if one in state.faults]:
                state.faults[name].save()
                self._unsaved.discard(name)
            if gone:
                ToldFault.objects.filter(id__in=gone).delete()
        except DatabaseError as error:
            logger.info("The state of the notices is kept in memory: %s", error)

    def _leave(self) -> None:
        if self._state is not None:
            try:
                self._lease.release()
            except DatabaseError as error:
                logger.info("The lease of the notices was not released: %s", error)


def _values(row: ToldFault) -> tuple[object, ...]:
    """Return what is stored when it changes. A text has numbers that change with each check, so it does not count."""
    return row.since, row.active, row.told, row.told_at, row.mail_due, row.webhook_due


def _faults(*, reachable: bool) -> tuple[list[Fault], bool]:
    """Return the faults that can be seen, and whether every part was asked."""
    if reachable:
        try:
            return faults(status.status()), True
        except Exception as error:  # any: this process still knows of its own
            logger.warning("The faults that the database knows were not checked: %s", error)
    return faults_without_database(), False
