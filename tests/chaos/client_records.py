"""What outsiders wrote down of what they were told, and what was wrong with it."""

from pathlib import Path
from typing import NamedTuple


class Violation(NamedTuple):
    promise: str
    what: str


def read_told(files: list[Path], what: str) -> set[str]:
    """The words of the lines that begin so. A last line that its writer's death cut short counts for nothing."""
    found: set[str] = set()
    for file in files:
        for line in file.read_text().splitlines(keepends=True) if file.exists() else []:
            if line.startswith(f"{what} ") and line.endswith("\n"):
                found.update(line.split()[1:])
    return found
