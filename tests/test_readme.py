"""What the documents tell people to type exists, and where they point there is something."""

from pathlib import Path

import pytest

from tests.reference.command_lines import wrong_in_page
from tests.reference.page_words import MAKE, code, wrong_words
from tests.reference.tables import ROOT

PAGES = [path for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")) if path.name != "CHANGELOG.md"]

pages = pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))


@pages
def test_each_command_is_one_that_manage_takes(page: Path) -> None:
    assert wrong_in_page(page.read_text()) == []


@pages
def test_targets_variables_and_links_lead_to_something(page: Path) -> None:
    assert wrong_words(page.read_text(), page) == []


def test_the_readme_tells_how_to_run_and_test_it() -> None:
    said = MAKE.findall(code((ROOT / "README.md").read_text()))

    assert {"run", "test", "lint"} <= set(said)


def test_every_decision_is_in_the_index() -> None:
    index = (ROOT / "docs" / "README.md").read_text()

    assert [path.name for path in ROOT.glob("docs/decisions/*.md") if f"decisions/{path.name}" not in index] == []
