"""Log failed attempts: each with its number and the next try, but of those alike only a few lines a minute."""

import logging
import time
from dataclasses import dataclass

from eventbus.events import Record

logger = logging.getLogger(__name__)

ALIKE_SECONDS = 60.0  # how long the lines of a kind are counted together: a bad minute is a page and not thousands
LINES_MAX = 16  # of a kind in that time: all attempts of two events
PROBE = "a probe, which counts as no attempt"
KINDS_MAX = 100  # kinds remembered: a group has some ten types, and an error of each is one of a few classes


@dataclass
class _Kind:
    since: float
    lines: int = 0
    more: int = 0  # left out since the last line


class Warnings:
    """The warnings of one worker. Two failures are alike when their event types and their error classes are.

    The first line of a kind in a minute has the traceback. An event that becomes a dead letter is an error in the log
    as well (`parking.dead_letter`).
    """

    def __init__(self, group: str) -> None:
        self._group = group
        self._kinds: dict[tuple[str, str], _Kind] = {}

    def failed(self, record: Record, error: BaseException, follows: str) -> None:
        """Log a failed attempt and what `follows`, unless there are many alike: then count it for the next line."""
        kind = self._kind(record.type, type(error).__name__)
        if kind.lines >= LINES_MAX:
            kind.more += 1
            return
        kind.lines += 1
        more, kind.more = kind.more, 0
        logger.warning(
            "Group %s failed on %s %s (key %s), %s: %s%s",
            self._group,
            record.type,
            record.event_id,
            record.key,
            follows,
            type(error).__name__,
            f"; {more} more like it were left out before" if more else "",
            exc_info=error if kind.lines == 1 else None,
        )

    def _kind(self, wire_type: str, error_class: str) -> _Kind:
        now, known = time.monotonic(), self._kinds.get((wire_type, error_class))
        if known is not None and now < known.since + ALIKE_SECONDS:
            return known
        if len(self._kinds) >= KINDS_MAX:
            self._kinds.clear()
        kind = self._kinds[wire_type, error_class] = _Kind(now, more=known.more if known else 0)
        return kind
