"""Log each failed attempt with its number and the time of the next one, but limit how often similar lines appear."""

import logging
import time
from dataclasses import dataclass

from eventbus.events import Record

logger = logging.getLogger(__name__)

ALIKE_SECONDS = 60.0  # the time over which similar lines are counted: a bad minute fills one page of the log at most
LINES_MAX = 16  # similar lines in that time: enough for all attempts of two events
PROBE = "a probe, which counts as no attempt"
KINDS_MAX = 100  # kinds remembered: a group has some ten types, and an error of each is one of a few classes


@dataclass
class _Kind:
    since: float
    lines: int = 0
    more: int = 0  # left out since the last line


class Warnings:
    """The warnings of one worker. Two failures are similar if their event types and their error classes are the same.

    Of similar failures LINES_MAX are logged in ALIKE_SECONDS. The first line has the traceback. An event that becomes a
    dead letter is also logged as an error (`parking.dead_letter`).
    """

    def __init__(self, group: str) -> None:
        self._group = group
        self._kinds: dict[tuple[str, str], _Kind] = {}

    def failed(self, record: Record, error: BaseException, follows: str) -> None:
        """Log a failed attempt and what `follows` it.

        If LINES_MAX similar failures were logged lately, only count this one. The next line names the count.
        """
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
