"""The actions of `manage.py eventbus`, a module for each kind. Each module has `add(actions)`."""

import getpass
import os
from argparse import RawDescriptionHelpFormatter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
from django.core.management.base import CommandParser, OutputWrapper

EXIT_WRONG_LINE = 2  # an id is unknown, or the command line is wrong
EXITS = """exit codes:
  0  done, and all is well
  1  status: something is wrong, and it is named; else: nothing to do, refused, or not done
  2  an id is unknown, or the command line is wrong"""
NOTHING = "-"  # in a table's empty cell

Run = Callable[..., None]  # called with `printer` and the parsed options by name


class Actions:
    """The parser of actions, to which each module adds its own."""

    def __init__(self, subparsers: Any) -> None:
        self._subparsers = subparsers

    def add(self, name: str, run: Run, text: str) -> CommandParser:
        """Add an action with `--json`, and return its parser for further arguments."""
        added: CommandParser = self._subparsers.add_parser(
            name, help=text, description=f"{text}.", epilog=EXITS, formatter_class=RawDescriptionHelpFormatter
        )
        added.add_argument("--json", action="store_true", help="print JSON instead of a table")
        added.set_defaults(run=run)
        return added


class Printer:
    """A printer of tables, fields and JSON on a command's standard output, safe for the operator's terminal."""

    def __init__(self, out: OutputWrapper) -> None:
        self._out = out

    def line(self, text: str = "") -> None:
        """Print a line of plain text."""
        self._out.write(text)

    def progress(self, text: str) -> None:
        """Print a line that the next one overwrites, on a terminal only."""
        if self._out.isatty():
            self._out.write(f"\r{text}", ending="\r")
            self._out.flush()

    def json(self, told: Any) -> None:
        """Print one JSON value, indented."""
        self._out.write(msgspec.json.format(msgspec.json.encode(told), indent=2).decode())

    def fields(self, told: dict[str, Any]) -> None:
        """Print all fields of a row: one line for each field, or several for a long text."""
        for name, value in told.items():
            text = "\n".join(printable(line) for line in str(value).splitlines())
            self._out.write(f"{name}:\n{text}" if "\n" in text else f"{name}: {text}")
        self._out.write("")

    def table(self, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
        """Print aligned columns: numbers to the right, the rest to the left."""
        lines = [list(columns), *([_cell(value) for value in row] for row in rows)]
        numbers = [all(line[at].isdigit() for line in lines[1:]) for at in range(len(columns))]
        widths = [max(len(line[at]) for line in lines) for at in range(len(columns))]
        for line in lines:
            cells = zip(line, widths, numbers, strict=True)
            self._out.write(
                "  ".join(f"{cell:{'>' if number else '<'}{width}}" for cell, width, number in cells).rstrip()
            )


def _cell(value: Any) -> str:
    return printable(str(value)) or NOTHING


def printable(text: str) -> str:
    """Escape control characters, so that the text of an error or a key cannot control the operator's terminal."""
    return text if text.isprintable() else text.encode("unicode_escape").decode()


def who() -> str:
    """Return the name that the audit trail keeps for an action at the command line."""
    try:
        return f"{getpass.getuser()} at the command line"
    except (KeyError, OSError):  # in a container a user may have no name
        return f"user {os.getuid()} at the command line"
