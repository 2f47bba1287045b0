"""Carry out replays that operators began on a page, in a thread beside relay and workers."""

import logging
import threading
from collections.abc import Callable

from django.db import connections

from eventbus.database.unit_of_work import unit_of_work
from eventbus.errors import LeaseLost, is_infrastructure_error
from eventbus.models import ReplayRun
from eventbus.recovery import divergence
from eventbus.repairs.replay import Replay, ReplayFailed
from eventbus.repairs.replay_filter import ReplayRefused

logger = logging.getLogger(__name__)

LOOK_SECONDS = 1.0  # between looks for a run: an operator sees the numbers move soon, and a look is one cheap query


class ReplaySchedule:
    """The loop that carries out replays, one after the other. `fence` raises LeaseLost if another process does it."""

    def __init__(self, stop: threading.Event, fence: Callable[[], None]) -> None:
        self._stop, self._fence = stop, fence

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
            connections.close_all()

    def look(self) -> None:
        """Carry out the oldest running replay, if there is one. Raises LeaseLost, DatabaseError."""
        if divergence.stands():
            return  # workers stand still too, until an operator has repaired the bus
        run = ReplayRun.objects.filter(state=ReplayRun.State.RUNNING, in_background=True).order_by("id").first()
        if run is None:
            return
        self._fence()
        try:
            Replay(run, self._stop, lambda run: self._fence()).go()
        except ReplayFailed as failed:
            logger.error("Replay %s of group %s failed at %s", run.pk, run.group, failed)
        except ReplayRefused as refused:
            logger.error("Replay %s of group %s cannot go on: %s", run.pk, run.group, refused)
            running = ReplayRun.objects.filter(pk=run.pk, state=ReplayRun.State.RUNNING)
            running.update(state=ReplayRun.State.FAILED, error=str(refused))
