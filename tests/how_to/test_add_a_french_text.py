"""`docs/how-to/add-a-french-text.md`: with its entries its template and its function speak French."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.template import engines
from django.utils import translation
from django.utils.translation import trans_real

from tests.how_to import DOCS, blocks

ROOT = DOCS.parent
PAGE = "add-a-french-text.md"
[HEAD] = blocks(PAGE, "po-head")
[ENTRIES] = blocks(PAGE, "po")
[TEMPLATE] = blocks(PAGE, "html")
[FRENCH] = blocks(PAGE, "html-in-french")
[PYTHON] = blocks(PAGE, "python")
[TESTS] = blocks(PAGE, "sh")


def test_the_template_is_in_french_and_in_english(french: None) -> None:
    template = engines["django"].from_string(TEMPLATE)

    with translation.override("fr"):
        assert template.render({"points": 0}).strip() == FRENCH.strip()
    with translation.override("en"):
        assert "You have 2 points." in template.render({"points": 2})


def test_the_function_is_in_french_and_in_english(french: None) -> None:
    names: dict[str, Any] = {}
    exec(PYTHON, names)  # noqa: S102  # ours
    thanks: Callable[[str], str] = names["thanks"]

    with translation.override("fr"):
        assert thanks("Ada") == "Merci, Ada."
    with translation.override("en"):
        assert thanks("Ada") == "Thank you, Ada."


def test_the_tests_that_it_names_exist() -> None:
    line = f"{TESTS.strip()} --collect-only"
    told = subprocess.run(line, shell=True, cwd=ROOT, capture_output=True, text=True)  # noqa: S602  # ours

    assert "test_every_text_of_the_pages_is_in_a_catalogue" in told.stdout, told.stdout + told.stderr
    assert "test_every_text_of_a_catalogue_is_translated" in told.stdout


@pytest.fixture
def french(tmp_path: Path, settings: Any) -> None:
    """The page's file, compiled as `make translations` does."""
    folder = tmp_path / "fr" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / "django.po").write_text(f"{HEAD}\n{ENTRIES}")
    subprocess.run(["make", "--silent", str(folder / "django.mo")], cwd=ROOT, check=True)
    settings.LOCALE_PATHS = [tmp_path]
    trans_real._translations.clear()
