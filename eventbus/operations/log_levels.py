"""Log levels that an administrator sets for some minutes: of one process, or of all.

A level is a row, and each process follows the rows at its heartbeat. It also keeps the end of each level itself, so
that a level ends by itself without a database, and after the process that set it has died. It measures those minutes
itself, so that a level also ends where a clock is wrong or is set back.

Only the loggers of the project's own code may go below INFO. At DEBUG others print what is secret: addresses with keys
in them, and the parameters of queries.
"""

import importlib.util
import logging
import threading
from datetime import timedelta
from uuid import UUID

from django.apps import apps
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from eventbus import clock
from eventbus.errors import BusError
from eventbus.events import KEY_CHARACTERS_MAX
from eventbus.models import WHO_CHARACTERS_MAX, LogLevel, OperatorAction

MINUTES = 10  # long enough to see a fault come again, and too short for DEBUG to fill a disk
ROOT = "root"  # the name by which the logger above all others is chosen
LEVELS_MAX = 20  # in force at once: each process reads all of them at each heartbeat
PACKAGES = "site-packages", "dist-packages"  # folders of code that is not the project's

_lock = threading.Lock()  # of what follows: several heartbeats may run in one process of tests
_before: dict[str, int] = {}  # the level of each changed logger before it was changed
_ends: dict[str, float] = {}  # when each changed logger returns to it, by the monotonic clock
_until: dict[int, float] = {}  # the same by row, also of those that are over here


class LogLevelRefused(BusError):
    """A log level is not set, or not ended; the text says why."""


def active() -> QuerySet[LogLevel]:
    """Return the levels that are in force now, the newest first."""
    return LogLevel.objects.filter(until__gt=clock.now()).order_by("-id")


def set_level(logger: str, level: str, who: str, *, process: UUID | None = None, about: str = "") -> LogLevel:
    """Set a logger's level for MINUTES, in one process or in all. Processes follow at their next heartbeat.

    `about`: the process's name for the audit trail. Raises LogLevelRefused for an unknown level or logger, for a level
    that would print secrets, and beyond LEVELS_MAX.
    """
    _refuse(logger, level)
    now = clock.now()
    with transaction.atomic():
        LogLevel.objects.filter(until__lte=now).delete()
        LogLevel.objects.filter(logger=logger, process=process).delete()  # the new one replaces it
        if LogLevel.objects.count() >= LEVELS_MAX:
            raise LogLevelRefused(_("%(number)d log levels are set. End one first.") % {"number": LEVELS_MAX})
        row = LogLevel.objects.create(
            logger=logger,
            level=level,
            process=process,
            who=who[:WHO_CHARACTERS_MAX],
            until=now + timedelta(minutes=MINUTES),
        )
        _note(row, f"{logger} {level} {about}".strip(), who)
    return row


def _refuse(logger: str, level: str) -> None:
    if level not in LogLevel.Level.values:
        raise LogLevelRefused(_("There is no such log level: %(level)s") % {"level": level})
    if not _is_known(logger):
        raise LogLevelRefused(_("There is no such logger: %(logger)s") % {"logger": logger})
    if level == LogLevel.Level.DEBUG and logger.partition(".")[0] not in _own_packages():
        text = _("At DEBUG %(logger)s may print keys and the parameters of queries. Choose INFO, or one of: %(own)s")
        raise LogLevelRefused(text % {"logger": logger, "own": ", ".join(sorted(_own_packages()))})


def _own_packages() -> set[str]:
    """Return the packages of the project's own apps, and the bus."""
    found = {config.name.partition(".")[0] for config in apps.get_app_configs() if not _is_installed(config.path)}
    return found | {__name__.partition(".")[0]}


def _is_installed(path: str) -> bool:
    return any(folder in path for folder in PACKAGES)


def _is_known(logger: str) -> bool:
    """Return True for the root, for a logger of this process, and for a module of the project's own code."""
    if logger == ROOT or logger in logging.root.manager.loggerDict:
        return True
    try:
        return logger.partition(".")[0] in _own_packages() and importlib.util.find_spec(logger) is not None
    except ImportError:
        return False


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
        at=clock.now(),
        who=who[:WHO_CHARACTERS_MAX],
        action=OperatorAction.Action.LOG_LEVEL,
        key=about[:KEY_CHARACTERS_MAX],
    )


def follow(process: UUID) -> None:
    """Set the levels that are in force for this process, and let the others return. Raises DatabaseError.

    A level for this process alone goes before one for all, and a newer one before an older one.
    """
    rows = list(active().filter(Q(process=process) | Q(process=None)).order_by("id"))
    with _lock:
        left = [row for row in rows if _seconds_left(row) > 0]
        found = {row.logger: row for row in sorted(left, key=lambda row: row.process is not None)}
        for row_id in set(_until) - {row.pk for row in rows}:
            del _until[row_id]
        for name in [name for name in _before if name not in found]:
            _return(name)
        for name, row in found.items():
            logger = _logger(name)
            _before.setdefault(name, logger.level)
            _ends[name] = _until[row.pk]
            logger.setLevel(row.level)


def return_overdue() -> None:
    """Let the loggers return whose time is over. It needs no database."""
    with _lock:
        for name in [name for name, until in _ends.items() if until <= clock.monotonic()]:
            _return(name)


def _seconds_left(row: LogLevel) -> float:
    """Return how long a level lasts here: MINUTES from when this process first saw it, at most."""
    seconds = min((row.until - clock.now()).total_seconds(), MINUTES * 60.0)
    return _until.setdefault(row.pk, clock.monotonic() + seconds) - clock.monotonic()


def _return(name: str) -> None:
    _logger(name).setLevel(_before.pop(name))
    del _ends[name]


def _logger(name: str) -> logging.Logger:
    return logging.getLogger(None if name == ROOT else name)
