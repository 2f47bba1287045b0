"""A wrong word that is planted in a copy of a page is found, by the checks that the page has for its words."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.template import engines
from django.utils import translation

from tests.eventbus import test_readme_example
from tests.how_to import blocks
from tests.how_to import test_mail_once as mail_once
from tests.reference import programs
from tests.reference.command_lines import wrong_in_page
from tests.reference.page_words import wrong_words
from tests.reference.tables import ROOT

PAGES = [ROOT / "README.md", *(ROOT / "docs" / name for name in ("tutorial.md", "operations.md"))]
PAGES += sorted((ROOT / "docs/how-to").glob("*.md"))
WRONG = "zz"  # is put behind a word
# Each word that stands for something outside of the page, by what it stands for.
WORDS = {
    "command": re.compile(r"manage\.py ([a-z_]+)"),
    "action": re.compile(r"manage\.py eventbus ([a-z]+)"),
    "option": re.compile(r"manage\.py [a-z_ ]+ (--[a-z-]+)"),
    "target": re.compile(r"(?:^|`)make ([a-z-]+)", re.MULTILINE),
    "setting": re.compile(r"`([A-Z]+_[A-Z_]+)[`=]"),
    "link": re.compile(r"\]\(((?!https?:|#)[^)#\s]+)"),
    "heading": re.compile(r"\]\((?:[^)#\s]+\.md)?#([^)\s]+)\)"),
}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_a_wrong_word_of_each_kind_is_found(page: Path) -> None:
    text = page.read_text()

    let_pass = [f"{kind} {text[at - 40 : at]}" for kind, at in places(text) if not complaints(planted(text, at), page)]

    assert complaints(text, page) == []
    assert let_pass == []


def test_every_page_has_words_that_are_checked() -> None:
    assert [page.name for page in PAGES if not list(places(page.read_text()))] == []


def places(text: str) -> Iterator[tuple[str, int]]:
    """Where the last word of each kind ends: the page has been read up to there."""
    for kind, pattern in WORDS.items():
        if found := list(pattern.finditer(text)):
            yield kind, found[-1].end(1)


def planted(text: str, at: int) -> str:
    """The page with a wrong word that ends here."""
    return text[:at] + (WRONG.upper() if text[at - 1].isupper() else WRONG) + text[at:]


def complaints(text: str, page: Path) -> list[str]:
    return wrong_in_page(text) + wrong_words(text, page)


# --- code that is run ----------------------------------------------------------------------------------------------


def fails(code: str, right: str, wrong: str, **names: object) -> None:
    """The code cannot be run with the wrong word in it."""
    assert right in code
    with pytest.raises((ImportError, NameError, TypeError, AttributeError)):
        exec(code.replace(right, wrong), {"__name__": "planted", **names})  # noqa: S102  # ours


def test_a_wrong_name_in_the_readmes_example_fails() -> None:
    fails(test_readme_example.DECLARED, "import Event, handles", "import Event, handle")
    fails(test_readme_example.DECLARED, 'topic="teas"', 'topics="teas"')


@pytest.mark.parametrize(
    ("code", "right", "wrong"),
    [
        (mail_once.IMPORTS + mail_once.EVENTS, "topic=", "topics="),
        (mail_once.IMPORTS + mail_once.HANDLERS, "@effect", "@effects"),
        (programs.declaration(), "unsigned_from", "unsigned_by"),
        (blocks("add-a-french-text.md", "python")[0], "import gettext", "import gettexts"),
    ],
)
def test_a_wrong_name_in_a_how_tos_code_fails(code: str, right: str, wrong: str) -> None:
    fails(code, right, wrong)


def test_a_wrong_line_of_what_a_template_prints_is_found() -> None:
    [template], [french] = (blocks("add-a-french-text.md", kind) for kind in ("html", "html-in-french"))

    with translation.override("fr"):
        printed = engines["django"].from_string(template).render({"points": 0}).strip()

    assert printed != french.replace("Vos", "Nos").strip()
