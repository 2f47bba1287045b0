"""`log-level`: show the log levels that are set for some minutes, set one, or end one."""

from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import CommandError

from eventbus.console import EXIT_WRONG_LINE, Actions, Printer, who
from eventbus.console.named_rows import positive
from eventbus.models import LogLevel
from eventbus.models.process_rows import LOGGER_CHARACTERS_MAX
from eventbus.operations import heartbeats, log_levels
from eventbus.operations.heartbeats import ProcessStatus

COLUMNS = ("id", "logger", "level", "process", "who", "until")


def add(actions: Actions) -> None:
    """Add the action `log-level`."""
    text = f"show, set or end log levels that last {log_levels.MINUTES} minutes and then return by themselves"
    asking = actions.add("log-level", run, text)
    asking.add_argument("logger", nargs="?", type=_logger, metavar="LOGGER", help="such as root or eventbus")
    asking.add_argument("level", nargs="?", default="", metavar="LEVEL", help=", ".join(LogLevel.Level.values))
    asking.add_argument("--process", default="", metavar="HOST/PID", help="only this process, not all")
    asking.add_argument("--end", type=positive, metavar="ID", help="end this one now")


def _logger(text: str) -> str:
    if len(text) > LOGGER_CHARACTERS_MAX or not all(part.isidentifier() for part in text.split(".")):
        raise ArgumentTypeError(f"{text} is no logger: write a module's name, or root")
    return text


def run(
    *, printer: Printer, json: bool, logger: str | None, level: str, process: str, end: int | None, **options: Any
) -> None:
    """Set, end or show log levels. Raises CommandError for an unknown level, process or id."""
    if bool(logger) != bool(level) or (end is not None and logger) or (process and not logger):
        raise CommandError("Name a logger and a level, or --end ID, or nothing.", returncode=EXIT_WRONG_LINE)
    try:
        if end is not None:
            log_levels.end(end, who())
        elif logger:
            found = _process(process) if process else None
            log_levels.set_level(logger, level, who(), process=found.id if found else None, about=process or "all")
    except log_levels.LogLevelRefused as refused:
        raise CommandError(str(refused), returncode=EXIT_WRONG_LINE) from refused
    rows = [{name: getattr(row, name) for name in COLUMNS} for row in log_levels.active()]
    if json:
        printer.json(rows)
    elif rows:
        printer.table(COLUMNS, [list(row.values()) for row in rows])
    else:
        printer.line("No log level is set.")


def _process(name: str) -> ProcessStatus:
    for one in heartbeats.processes():
        if f"{one.host}/{one.pid}" == name:
            return one
    raise CommandError(f"No such process: {name}. See /eventbus/processes/.", returncode=EXIT_WRONG_LINE)
