"""Log what fails: the first failure of a kind with its traceback, and those like it as a number."""

import logging
import time
from typing import NamedTuple

from eventbus.events import Record

ALIKE_SECONDS = 60.0  # between warnings of a kind: a bad minute is a line and not thousands
KINDS_MAX = 100  # kinds remembered: a group has some ten types, and an error of each is one of a few classes


class _Kind(NamedTuple):
    told_at: float
    more: int


class Warnings:
    """The warnings of one worker. Two failures are alike when their event types and their error classes are."""

    def __init__(self, group: str, logger: logging.Logger) -> None:
        self._group, self._logger = group, logger
        self._kinds: dict[tuple[str, str], _Kind] = {}

    def failed(self, record: Record, error: BaseException) -> None:
        """Log a failure, unless one like it was logged a moment ago: then count it for the next line."""
        kind, now = (record.type, type(error).__name__), time.monotonic()
        told_at, more = self._kinds.get(kind, _Kind(float("-inf"), 0))
        if now < told_at + ALIKE_SECONDS:
            self._kinds[kind] = _Kind(told_at, more + 1)
            return
        if len(self._kinds) >= KINDS_MAX:
            self._kinds.clear()
        self._kinds[kind] = _Kind(now, 0)
        self._logger.warning(
            "Group %s failed on %s %s (key %s): %s%s",
            self._group,
            record.type,
            record.event_id,
            record.key,
            type(error).__name__,
            f"; {more} like it failed since the last such line" if more else "",
            exc_info=error,
        )
