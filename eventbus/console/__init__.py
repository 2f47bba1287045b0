"""The actions of `manage.py eventbus`, a module for each kind. Each module has `add(actions)`."""

from argparse import RawDescriptionHelpFormatter
from collections.abc import Callable
from typing import Any

from django.core.management.base import CommandParser

from eventbus.console.printing import Printer

EXIT_WRONG_LINE = 2  # an id is unknown, or the command line is wrong
EXITS = """exit codes:
  0  done, and all is well
  1  status: something is wrong, and it is named; else: nothing to do, refused, or not done
  2  an id is unknown, or the command line is wrong"""

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


__all__ = ["EXITS", "EXIT_WRONG_LINE", "Actions", "Printer", "Run"]
