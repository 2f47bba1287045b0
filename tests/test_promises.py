"""Each promise of docs/promises.md names a test that is there."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROW = re.compile(r"^\| (?P<promise>.+?) \| `(?P<file>[\w/]+\.py)::(?P<names>[\w:]+)` \|$", re.MULTILINE)


def test_each_promise_names_a_test_that_is_there() -> None:
    page = (ROOT / "docs" / "promises.md").read_text()
    rows = list(ROW.finditer(page))

    assert len(rows) == len(re.findall(r"^\| .*`tests/.*\|$", page, re.MULTILINE)), "a row that is not of this shape"
    assert [row[0] for row in rows if not is_there(ROOT / row["file"], row["names"].split("::"))] == []


def is_there(file: Path, names: list[str]) -> bool:
    """As in `file.py::Class::test_name`."""
    found: ast.AST | None = ast.parse(file.read_text()) if file.exists() else None
    for name in names:
        inside = getattr(found, "body", [])
        found = next((one for one in inside if getattr(one, "name", "") == name), None)
    return found is not None
