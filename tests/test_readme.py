"""What the documents tell people to type exists, and where they point there is something."""

import re
from functools import cache
from pathlib import Path

import pytest

from tests.kafka.plugin import GIVEN
from tests.reference.command_lines import BLOCK, INLINE, shell_blocks, wrong_in_page, wrong_in_source
from tests.reference.environment import files, keys_read
from tests.reference.tables import ROOT
from tests.settings_source import SOURCE, settings_in

TARGETS = set(re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE))
MAKE = re.compile(r"(?:^|\s)make ([a-z][a-z-]*)")
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")
HEADING_LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)#([^)]+)\)")
VARIABLE = re.compile(r"(?<![\w.\"'])[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b")
ASSIGNED = re.compile(r"(?<![\w.])([A-Z][A-Z0-9_]+)=")
READ = re.compile(r"(?:environ(?:\.get|\.pop|\.setdefault)?[\[(]|getenv\()\s*\"([A-Z0-9_]+)\"")
OF_FILES = re.compile(r"\b[A-Z][A-Z0-9_]+\b")  # every capital word of the Makefile and of compose.yaml
# Arguments of commands, and settings of Django's databases and of Jackson.
OF_OPENTELEMETRY = {"OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG"}  # which its SDK reads itself
OTHERS = {"ORDER_ID", "EVENT_ID", "CONN_MAX_AGE", "FAIL_ON_UNKNOWN_PROPERTIES", *GIVEN, *OF_OPENTELEMETRY}


def wrong_words(text: str, page: Path) -> list[str]:
    """Sentences about each word of the page that stands for nothing."""
    return [
        *(f"make {one}: there is no such target" for one in MAKE.findall(code(text)) if one not in TARGETS),
        *(f"{one}: nothing reads this variable" for one in variables(text) - known_variables()),
        *(f"{one}: the link leads nowhere" for one in LINK.findall(text) if not (page.parent / one).exists()),
        *(f"{file}#{one}: there is no such heading" for file, one in _lost_headings(text, page)),
    ]


def code(text: str) -> str:
    """What people type by the page: its blocks for the shell, and its spans."""
    return "\n".join([*shell_blocks(text), *spans(text)])


def spans(text: str) -> list[str]:
    """The texts in backticks, outside of blocks."""
    return INLINE.findall(BLOCK.sub("", text))


def variables(text: str) -> set[str]:
    """The names of settings, constants and variables in spans, and what the blocks for the shell set."""
    named = {name for span in spans(text) for name in VARIABLE.findall(span)}
    return named | set(ASSIGNED.findall(code(text)))


@cache
def known_variables() -> set[str]:
    """What settings, processes, make and Compose read, and the constants of the code."""
    found = set(settings_in(SOURCE)) | set(keys_read(files())) | OTHERS
    for name in ("Makefile", "compose.yaml", "Caddyfile", "Dockerfile"):
        found |= set(OF_FILES.findall((ROOT / name).read_text()))
    folders = ("eventbus", "mcommerce", "stations", "outside", "tests", "benchmarks")
    modules = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    for path in [ROOT / "docker-entrypoint", *modules]:
        text = path.read_text()
        found |= set(READ.findall(text)) | set(
            re.findall(r"^ *([A-Z][A-Z0-9_]+)(?:, [A-Z_, ]+)?(?:: .+)? = ", text, re.M)
        )
    return found


def _lost_headings(text: str, page: Path) -> list[tuple[str, str]]:
    found = [(file, heading) for file, heading in HEADING_LINK.findall(text) if ".py" not in file]
    links = [(file, heading) for file, heading in found if (page.parent / file).exists()]
    there = {file: headings((page.parent / file).read_text() if file else text) for file, _heading in links}
    return [(file, heading) for file, heading in links if heading not in there[file]]


def headings(text: str) -> set[str]:
    """What a link to each heading is called on a forge: in small letters, without signs, with hyphens for blanks."""
    told = re.sub(r"\[([^]]*)\]\([^)]*\)|`", r"\1", text)
    found = re.findall(r"^#+ (.+)$", told, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in found}


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


def test_a_wrong_word_is_found() -> None:
    text = "Type `manage.py migrat`, `make luch`, `NO_SUCH_SETTING=1`, and read [more](nowhere.md)."

    assert len(wrong_in_page(text)) == 1
    assert len(wrong_words(text, ROOT / "README.md")) == 3


def test_the_commands_of_errors_and_remedies_are_taken() -> None:
    folders = ("eventbus", "mcommerce", "stations", "outside")
    sources = [path.read_text() for folder in folders for path in (ROOT / folder).rglob("*.py")]

    assert [complaint for source in sources for complaint in wrong_in_source(source)] == []
