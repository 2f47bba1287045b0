"""The readiness of this process: checked in the background; `/health/ready` only reads the result."""

from datetime import datetime

from django.conf import settings

from eventbus.operations.health import broker_problem, outbox_problem, restore_problem
from mcommerce.readiness.check_thread import OK, Part, Watch
from mcommerce.readiness.database import database_problem
from mcommerce.readiness.disk import disk_problem
from mcommerce.readiness.table_locks import TableLock, TableLocks
from mcommerce.serving import background_threads, draining

__all__ = ["OK", "found", "locks", "since", "start"]

_watching: Watch | None = None
_tables = TableLocks()


def start(role: str) -> None:
    """Begin to check this process in the background, until the process stops."""
    global _watching
    _watching = Watch(parts_of(role)).start()
    background_threads.run_beside("readiness", _watching)


def found() -> dict[str, str]:
    """Return each part's result: `OK`, or a sentence about its fault.

    It never waits for a check. Only a process without visitors, such as a test, checks now.
    """
    found = _found()
    if draining.is_leaving():
        found["leaving"] = "this process was asked to stop, and takes no further visitors"
    return found


def since(part: str) -> datetime | None:
    """Return when this process first found the part's present fault; None if it has none, or nobody checks."""
    return None if _watching is None else _watching.since(part)


def locks() -> list[TableLock]:
    """Return the locks on tables that this process's last check reported."""
    return _tables.kept


def _found() -> dict[str, str]:
    if _watching is not None:
        return _watching.found()
    looks_now = Watch(parts_of("all"))
    looks_now.look()
    return looks_now.found()


def parts_of(role: str) -> list[Part]:
    """Return the parts that a process in this role needs, in the order of their checks."""
    parts = [
        Part("database", database_problem),
        Part("tables", _tables.problem, needs="database"),
        Part("disk", lambda: disk_problem(keeps_uploads=role != "live")),
        Part("broker", broker_problem),
        Part("restore", restore_problem, needs="database"),
        Part("outbox", lambda: outbox_problem(settings.READY_OUTBOX_SECONDS), needs="database"),
    ]
    return [*parts, Part("background", background_threads.problem)] if settings.RUN_BUS_IN_SERVER else parts
