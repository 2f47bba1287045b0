"""The tables of a Markdown page, by the heading that they are under."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "reference"
PACKAGES = ("eventbus", "mcommerce", "stations", "outside")
Row = dict[str, str]


def page(name: str) -> str:
    return (FOLDER / f"{name}.md").read_text()


def sections(text: str) -> dict[str, str]:
    """The text below each heading up to the next one, by the heading without its signs."""
    parts = re.split(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {heading.replace("`", "").strip(): below for heading, below in zip(parts[1::2], parts[2::2], strict=True)}


def rows(text: str) -> Iterator[Row]:
    """Each row of each table, by the names of its columns."""
    names: list[str] = []
    for line in text.splitlines():
        if not line.startswith("|"):
            names = []
            continue
        cells = [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip("| "))]
        if not names:
            names = cells
        elif set(line) - set("|-: "):
            yield dict(zip(names, [*cells, *[""] * (len(names) - len(cells))], strict=True))


def code(cell: str) -> str:
    """The first name in backticks."""
    found = re.match(r"`([^`]+)`", cell)
    return found[1] if found else cell


def named(text: str, column: str) -> dict[str, Row]:
    """The rows of the tables with this column, by its name in backticks; no name may be there twice."""
    found = [row for row in rows(text) if column in row]
    names = [code(row[column]) for row in found]
    assert len(names) == len(set(names)), f"twice on the page: {[name for name in names if names.count(name) > 1]}"
    return dict(zip(names, found, strict=True))


def sources() -> dict[str, str]:
    """The source of each module of the project, by the module's name."""
    paths = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    return {_module_of(path): path.read_text() for path in paths if "migrations" not in path.parts}


def _module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
