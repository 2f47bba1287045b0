"""Carry out bulk runs, in a thread beside relay and workers: a run that another process left goes on here."""

import logging
import threading
from collections.abc import Callable

from django.db import connections

from eventbus.database.unit_of_work import unit_of_work
from eventbus.errors import LeaseLost, is_infrastructure_error
from eventbus.recovery import divergence
from eventbus.selections import bulk_runs

logger = logging.getLogger(__name__)

LOOK_SECONDS = (
    1.0  # between looks for a run: an operator sees the progress bar move soon, and a look is one cheap query
)
PAUSE_SECONDS = 0.02  # between steps, so that others can write, in other processes too


class BulkSchedule:
    """The loop that carries out bulk runs. `fence` raises LeaseLost if another process does it now."""

    def __init__(self, stop: threading.Event, fence: Callable[[], None]) -> None:
        self._stop, self._fence = stop, fence

    def run(self, *, look_seconds: float = LOOK_SECONDS) -> None:
        """Carry out runs until stopped, or until another process does. A failure is logged, and tried again."""
        try:
            while not self._stop.wait(look_seconds):
                try:
                    with unit_of_work():
                        self._look()
                except LeaseLost:
                    return
                except Exception as error:
                    logger.warning("A bulk run must wait: %s", error, exc_info=not is_infrastructure_error(error))
        finally:
            connections.close_all()

    def _look(self) -> None:
        if divergence.stands():
            return  # workers stand still too, until an operator has repaired the bus
        while bulk_runs.is_due() and not self._stop.is_set():
            self._fence()
            bulk_runs.step()
            self._stop.wait(PAUSE_SECONDS)
