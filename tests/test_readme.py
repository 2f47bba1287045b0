"""What the documents tell people to type exists, and where they point there is something."""

import re
from pathlib import Path

import pytest
from django.core.management import get_commands

ROOT = Path(__file__).resolve().parent.parent
PAGES = [path for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")) if path.name != "CHANGELOG.md"]
TARGETS = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))

CODE = re.compile(r"```sh\n(.*?)```|`([^`\n]+)`", re.DOTALL)
MAKE = re.compile(r"(?:^|\s)make ([a-z][a-z-]*)")
MANAGE = re.compile(r"manage\.py ([a-z_]+)")
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")
HEADING_LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)#([^)]+)\)")

pages = pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))


@pages
def test_commands_in_the_documents_exist(page: Path) -> None:
    code = "\n".join("".join(found) for found in CODE.findall(page.read_text()))

    assert set(MAKE.findall(code)) <= TARGETS
    assert set(MANAGE.findall(code)) <= set(get_commands())


@pages
def test_links_in_the_documents_lead_somewhere(page: Path) -> None:
    links = LINK.findall(page.read_text())

    assert [link for link in links if not (page.parent / link).exists()] == []


@pages
def test_links_to_a_heading_find_it(page: Path) -> None:
    links = HEADING_LINK.findall(page.read_text())
    there = {file: headings(page.parent / file if file else page) for file, _heading in links if ".py" not in file}

    assert [f"{file}#{heading}" for file, heading in links if heading not in there.get(file, {heading})] == []


def test_the_readme_tells_how_to_run_and_test_it() -> None:
    said = MAKE.findall((ROOT / "README.md").read_text())

    assert {"run", "test", "lint"} <= set(said)


def test_every_decision_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text()

    assert [path.name for path in ROOT.glob("docs/decisions/*.md") if f"decisions/{path.name}" not in index] == []


def headings(page: Path) -> set[str]:
    """What a link to each heading is called on a forge: in small letters, without signs, with hyphens for blanks."""
    told = re.sub(r"\[([^]]*)\]\([^)]*\)|`", r"\1", page.read_text())
    found = re.findall(r"^#+ (.+)$", told, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in found}
