"""Prune regularly, in a thread beside relay and workers, so that the tables of a site left alone do not grow."""

import logging
import threading
from collections.abc import Callable
from datetime import timedelta

from django.conf import settings
from django.db import connections

from eventbus.database.unit_of_work import unit_of_work
from eventbus.errors import LeaseLost, is_infrastructure_error
from eventbus.operations import pruning
from eventbus.operations.pruning import Pruning
from eventbus.recovery import divergence

logger = logging.getLogger(__name__)

ROUND_SECONDS = 120.0  # before the first round and between rounds: so each round has little to prune


class PruningSchedule:
    """The rounds of pruning. `fence` raises LeaseLost if another process prunes now."""

    def __init__(self, stop: threading.Event, fence: Callable[[], None]) -> None:
        self._stop, self._fence = stop, fence
        self._told: set[str] = set()  # the problems that were logged: they are not repeated in each round

    def run(self, *, round_seconds: float = ROUND_SECONDS) -> None:
        """Prune until stopped, or until another process prunes. A failure is logged, and the next round tries again."""
        try:
            while not self._stop.wait(round_seconds):
                try:
                    with unit_of_work():
                        self._round()
                except LeaseLost:
                    return
                except Exception as error:
                    logger.warning(
                        "Nothing was pruned this time: %s", error, exc_info=not is_infrastructure_error(error)
                    )
        finally:
            connections.close_all()

    def _round(self) -> None:
        if divergence.stands():
            return  # the rows show which events the restore lost
        keep = timedelta(hours=settings.EVENTBUS_RETENTION_HOURS)
        pruned = Pruning(keep, fence=self._fence, stop=self._stop).go()
        if pruned.events:
            logger.info("Pruned %s events that every group has passed", pruned.events)
        for text in [*pruned.unbalanced, *map(str, pruning.held_back())]:
            self._warn(text)

    def _warn(self, text: str) -> None:
        about = text.partition(" holds back ")[0]  # the count grows, the problem is the same
        if about not in self._told:
            self._told.add(about)
            logger.warning("%s", text)
