"""Log levels that an administrator sets for some minutes: of one process, or of all.

A level is a row, and each process follows the rows at its heartbeat. It also keeps the end of each level itself, so
that a level ends by itself without a database, and after the process that set it has died.
"""

import logging
import threading
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from eventbus import clock
from eventbus.errors import BusError
from eventbus.models import WHO_CHARACTERS_MAX, LogLevel, OperatorAction

MINUTES = 10  # long enough to see a fault come again, and too short for DEBUG to fill a disk
ROOT = "root"  # the name by which the logger above all others is chosen

_lock = threading.Lock()  # of what follows: several heartbeats may run in one process of tests
_before: dict[str, int] = {}  # the level of each changed logger before it was changed
_ends: dict[str, datetime] = {}  # when each changed logger returns to it


class LogLevelRefused(BusError):
    """A log level is not set, or not ended; the text says why."""


def active() -> QuerySet[LogLevel]:
    """Return the levels that are in force now, the newest first."""
    return LogLevel.objects.filter(until__gt=clock.now()).order_by("-id")


def set_level(logger: str, level: str, who: str, *, process: UUID | None = None, about: str = "") -> LogLevel:
    """Set a logger's level for MINUTES, in one process or in all. Processes follow at their next heartbeat.

    `about`: the process's name for the audit trail. Raises LogLevelRefused for an unknown level.
    """
    if level not in LogLevel.Level.values:
        raise LogLevelRefused(_("There is no such log level: %(level)s") % {"level": level})
    now = clock.now()
    with transaction.atomic():
        LogLevel.objects.filter(until__lte=now).delete()
        LogLevel.objects.filter(logger=logger, process=process).delete()  # the new one replaces it
        row = LogLevel.objects.create(
            logger=logger,
            level=level,
            process=process,
            who=who[:WHO_CHARACTERS_MAX],
            until=now + timedelta(minutes=MINUTES),
        )
        _note(row, f"{logger} {level} {about}".strip(), who)
    return row


def end(row_id: int, who: str) -> None:
    """End a level before its time. Raises LogLevelRefused if it has ended."""
    with transaction.atomic():
        row = active().select_for_update().filter(pk=row_id).first()
        if row is None:
            raise LogLevelRefused(_("This log level has ended already."))
        _note(row, f"{row.logger} {row.level} ended", who)
        row.delete()


def _note(row: LogLevel, about: str, who: str) -> None:
    OperatorAction.objects.create(
        at=clock.now(), who=who[:WHO_CHARACTERS_MAX], action=OperatorAction.Action.LOG_LEVEL, key=about
    )


def follow(process: UUID) -> None:
    """Set the levels that are in force for this process, and let the others return. Raises DatabaseError.

    A level for this process alone goes before one for all.
    """
    rows = active().filter(Q(process=process) | Q(process=None))
    found = {row.logger: row for row in sorted(rows, key=lambda row: row.process is not None)}
    with _lock:
        for name in [name for name in _before if name not in found]:
            _return(name)
        for name, row in found.items():
            logger = _logger(name)
            _before.setdefault(name, logger.level)
            _ends[name] = row.until
            logger.setLevel(row.level)


def return_overdue() -> None:
    """Let the loggers return whose time is over. It needs no database."""
    with _lock:
        for name in [name for name, until in _ends.items() if until <= clock.now()]:
            _return(name)


def _return(name: str) -> None:
    _logger(name).setLevel(_before.pop(name))
    del _ends[name]


def _logger(name: str) -> logging.Logger:
    return logging.getLogger(None if name == ROOT else name)
