"""The lines of the sources that name a new app: one in INSTALLED_APPS, and its packages in docs/rooms.md."""

from pathlib import Path
from typing import NamedTuple

MARK = "# `manage.py startapp` adds a new feature above this line"
SETTINGS, ROOMS, ROW = "mcommerce/settings.py", "docs/rooms.md", "| `mcommerce/"


class MissingPlace(Exception):
    """A file has no place where the lines belong. The message says what to write."""


class NewLines(NamedTuple):
    """Lines for a file, and the line that they come before or after."""

    file: Path
    text: str
    beside: str
    after: bool = False

    def write(self) -> None:
        """Write the lines into the file."""
        both = self.beside + self.text if self.after else self.text + self.beside
        told = self.file.read_text(encoding="utf-8")
        self.file.write_text(told.replace(self.beside, both, 1), encoding="utf-8")


def installed_app(root: Path, name: str) -> NewLines:
    """Return the new line of INSTALLED_APPS. Raises MissingPlace if the mark does not stand there once."""
    marks = [line for line in _lines(root / SETTINGS) if line.strip() == MARK]
    if len(marks) != 1:
        raise MissingPlace(f"{SETTINGS} does not say where new apps go: write {MARK!r} once, into INSTALLED_APPS.")
    return NewLines(root / SETTINGS, f'    "mcommerce.{name}",\n', marks[0])


def package_rows(root: Path, name: str, title: str) -> NewLines:
    """Return the rows of the new app's packages, for their place by name in the table of docs/rooms.md.

    Raises MissingPlace if the table has no row of mcommerce/.
    """
    text = f"{ROW}{name}/` | {title}. |\n{ROW}{name}/services/` | The writes of the app {name}. |\n"
    rows = [line for line in _lines(root / ROOMS) if line.startswith(ROW)]
    if not rows:
        raise MissingPlace(f"{ROOMS} has no row of mcommerce/: mend its table, so that new packages have a place.")
    later = [row for row in rows if row > text]
    return NewLines(root / ROOMS, text, later[0] if later else rows[-1], after=not later)


def _lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").splitlines(keepends=True)
