"""Carry out replays that operators began on a page, in a thread beside relay and workers."""

import logging
import threading
from collections.abc import Callable
from contextlib import suppress

from django.db import DatabaseError, InterfaceError, connections
from django.db.models import F

from eventbus import clock
from eventbus.database.unit_of_work import unit_of_work
from eventbus.errors import GroupStopped, LeaseLost, is_infrastructure_error
from eventbus.models import ReplayRun
from eventbus.recovery import divergence
from eventbus.repairs import replay
from eventbus.repairs.replay import Replay, ReplayFailed
from eventbus.repairs.replay_filter import ReplayRefused

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0  # between looks for a run: an operator sees the numbers move soon, and a look is one cheap query
# Processes that end while a run stands at the same offsets. A deploy or a full memory may end one or two by chance.
CRASHES_MAX = 3


class ReplaySchedule:
    """The loop that carries out replays, one after the other. `fence` raises LeaseLost if another process does it."""

    def __init__(self, stop: threading.Event, fence: Callable[[], None]) -> None:
        self._stop, self._fence = stop, fence
        self._taken: int | None = None  # the run that this process has taken up, and not left in order

    def run(self, *, look_seconds: float = LOOK_SECONDS) -> None:
        """Carry out replays until stopped, or until another process does. A failure is logged, and stored in the run.

        If the database fails, the run goes on at the next look.
        """
        try:
            while not self._stop.wait(look_seconds):
                try:
                    with unit_of_work():
                        self.look()
                except LeaseLost:
                    return
                except Exception as error:
                    logger.warning("A replay must wait: %s", error, exc_info=not is_infrastructure_error(error))
        finally:
            with suppress(DatabaseError, InterfaceError):
                self._leave()
            connections.close_all()

    def look(self) -> None:
        """Carry out the oldest running replay, if there is one. Raises LeaseLost, GroupStopped, DatabaseError."""
        if divergence.stands():
            return  # workers stand still too, until an operator has repaired the bus
        run = ReplayRun.objects.filter(state=ReplayRun.State.RUNNING, in_background=True).order_by("id").first()
        if run is None:
            return
        self._fence()
        try:
            if self._takes_up(run):
                Replay(run, self._stop, lambda run: self._refuse_to_go_on()).go()
        except ReplayFailed as failed:
            logger.error("Replay %s of group %s failed at %s", run.pk, run.group, failed)
        except ReplayRefused as refused:
            logger.error("Replay %s of group %s cannot go on: %s", run.pk, run.group, refused)
            replay.fail(run, str(refused))
        self._leave()

    def _takes_up(self, run: ReplayRun) -> bool:
        """Count that this process takes the run up. Return False if too many processes have ended in it.

        An event that ends the process would else end each process that comes after, and the site with it.
        """
        if self._taken == run.pk:
            return True
        if run.crashes >= CRASHES_MAX:
            text = f"{run.crashes} processes ended while they handled the next events: {run.offsets}"
            logger.error("Replay %s of group %s failed: %s", run.pk, run.group, text)
            replay.fail(run, text)
            return False
        ReplayRun.objects.filter(pk=run.pk).update(crashes=F("crashes") + 1, moved_at=clock.now())
        self._taken = run.pk
        return True

    def _leave(self) -> None:
        """Store that this process leaves its run in order."""
        if self._taken is not None:
            ReplayRun.objects.filter(pk=self._taken).update(crashes=0)
            self._taken = None

    def _refuse_to_go_on(self) -> None:
        self._fence()
        if divergence.stands():
            raise GroupStopped("The database was restored: nothing is handled again until an operator has repaired it")
