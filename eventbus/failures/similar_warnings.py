"""Log failed attempts with their number and the time of the next one: of similar ones, one line a minute."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from eventbus.events import Record, with_causation
from eventbus.measuring import bus_metrics

logger = logging.getLogger(__name__)

ALIKE_SECONDS = 60.0  # between two lines of a kind: an hour of failures fills one page of the log
PROBE = "a probe, which counts as no attempt"
KINDS_MAX = 100  # kinds remembered: a group has some ten types, and an error of each is one of a few classes


@dataclass
class _Kind:
    since: float  # its last line
    more: int = 0  # failures since then
    last: tuple[Record, BaseException, str] | None = None  # of these


class Warnings:
    """The warnings of one worker. Two failures are similar if their event types and their error classes are the same.

    The first of similar failures is logged at once, with its traceback. Those that follow are counted. Once
    ALIKE_SECONDS are over, one line has their count, and the last of them with its traceback. An event that becomes a
    dead letter is also logged as an error (`parking.dead_letter`).
    """

    def __init__(self, group: str, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._group, self._monotonic = group, monotonic
        self._kinds: dict[tuple[str, str], _Kind] = {}

    def failed(self, record: Record, error: BaseException, follows: str) -> None:
        """Count a failed attempt, and log it and what `follows` it, unless a similar one was logged lately."""
        bus_metrics.failed(self._group, record)
        self.log_repeated()
        kind_of = (record.type, type(error).__name__)
        kind = self._kinds.get(kind_of)
        if kind is not None:
            kind.more, kind.last = kind.more + 1, (record, error, follows)
            return
        if len(self._kinds) >= KINDS_MAX:
            self.close()
        self._kinds[kind_of] = _Kind(self._monotonic())
        self._log(record, error, follows)

    def log_repeated(self) -> None:
        """Log how many similar failures followed a line that is older than ALIKE_SECONDS. Cheap if there is none."""
        now = self._monotonic()
        for kind_of, kind in list(self._kinds.items()):
            if now >= kind.since + ALIKE_SECONDS:
                del self._kinds[kind_of]
                if self._log_last(kind):
                    self._kinds[kind_of] = _Kind(now)

    def close(self) -> None:
        """Log what was only counted so far, and forget all kinds."""
        kinds, self._kinds = self._kinds, {}
        for kind in kinds.values():
            self._log_last(kind)

    def _log_last(self, kind: _Kind) -> bool:
        if kind.last is None:
            return False
        self._log(*kind.last, f"; the last of {kind.more} similar failures since the warning before")
        return True

    def _log(self, record: Record, error: BaseException, follows: str, repeated: str = "") -> None:
        with_causation(  # so that the line has the event's correlation id
            record,
            partial(logger.warning, exc_info=error),
            "Group %s failed on %s %s (key %s), %s: %s%s",
            self._group,
            record.type,
            record.event_id,
            record.key,
            follows,
            type(error).__name__,
            repeated,
        )
