"""A block that somebody writes into README.md or docs/ fails the build until a test runs it."""

import re
import textwrap
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import pytest

from tests.page_reader import BLOCK as TYPEABLE
from tests.page_reader import FILE
from tests.reference.tables import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# A Reader follows the page: it types each block without a name, and the test types those that have one.
TYPED = {
    "docs/adding-a-module.md": "tests.how_to.test_adding_a_module",
    "docs/how-to/a-page-with-a-form.md": "tests.how_to.test_a_page_with_a_form",
    "docs/how-to/start-from-the-present-state.md": "tests.how_to.test_start_from_the_present_state",
    "docs/tutorial.md": "tests.test_tutorial",
}
# These names hold the texts that the tests of their modules run.
KEPT = {
    "README.md": ("tests.eventbus.test_readme_example:EXAMPLE", "tests.test_readme_commands:BLOCKS"),
    "docs/alerts.md": ("tests.stations.alerts.test_webhooks:CHECK",),
    "docs/debezium.md": ("tests.eventbus.test_debezium:PROPERTIES", "tests.eventbus.test_debezium_publication:SQL"),
    "docs/growing-out.md": ("tests.browser.test_grown_out:FILES",),
    "docs/how-to/add-a-french-text.md": tuple(
        f"tests.how_to.test_add_a_french_text:{name}"
        for name in ("TEMPLATE", "PYTHON", "HEAD", "ENTRIES", "FRENCH", "TESTS")
    ),
    "docs/how-to/another-language.md": (
        *("tests.reference.programs:PROGRAMS", "tests.reference.programs:DECLARED"),
        "tests.reference.test_another_language:SCHEMAS",
    ),
    "docs/how-to/fragment-on-another-page.md": tuple(
        f"tests.how_to.test_fragment_on_another_page:{name}" for name in ("BLOCKS", "MATCHING")
    ),
    "docs/how-to/link-to-another-page.md": tuple(
        f"tests.how_to.test_link_to_another_page:{name}" for name in ("LINKS", "TEMPLATE", "MAIL")
    ),
    "docs/how-to/mail-once.md": tuple(f"tests.how_to.test_mail_once:{name}" for name in ("FILES", "EVENT")),
    "docs/how-to/run-every-role-without-docker.md": ("tests.how_to.test_run_every_role:TYPED",),
    "docs/monitoring.md": ("tests.mcommerce.monitoring.test_docs:BLOCKS",),
    "docs/operations.md": (
        *("tests.test_compose:SECRETS", "tests.test_compose:REPLACING", "tests.test_backup:TYPED"),
        *(f"tests.reference.test_operations_page:{name}" for name in ("DECIDING", "REPLAYING", "SKIPPING")),
        *("tests.reference.test_operations_page_on_kafka:TOPICS", "tests.eventbus.test_kafka_database_restored:TYPED"),
    ),
    "docs/reference/bus.md": ("tests.reference.test_bus_page_code:BLOCKS",),
    "docs/reference/wire-format.md": ("tests.reference.test_wire_format:CODE",),
    "docs/testing.md": tuple(f"tests.eventbus.test_testing:{name}" for name in ("PLUGIN", "IMPORTS", "EXAMPLES")),
}
FENCE = re.compile(r"^ *(`{3,}|~{3,})(.*)$")
UNRUN = "text"
# Programs of the machine that pages tell somebody to type.
OTHERS = (
    "apt|curl|docker|git|gunicorn|java|kafka-[a-z-]+\\.sh|kill|openssl|pg_\\w+|pip|psql|python3?|sh|sqlite3|systemctl"
    "|uvicorn"
)
COMMAND = re.compile(rf"^\s*(?:[$#] |sudo |[A-Z_]+=\S+ )*(?:\S*/)?(?:{OTHERS}|manage\.py|make)(?= |$)", re.MULTILINE)


class Block(NamedTuple):
    """A fenced block. `line` is that of its opening fence, `name` what follows its language."""

    line: int
    language: str
    name: str
    text: str


def blocks_in(page: str) -> Iterator[Block]:
    """The fenced blocks of a page, indented ones too. An open one is an error."""
    fence, opened, told, held = "", 0, "", ""
    for number, line in enumerate(page.splitlines(keepends=True), 1):
        found = FENCE.match(line.rstrip())
        if not fence and found:
            fence, opened, told, held = found[1], number, found[2].strip(), ""
        elif fence and found and found[1].startswith(fence) and not found[2]:
            language, _, name = told.partition(" ")
            yield Block(opened, language, name, textwrap.dedent(held))
            fence = ""
        elif fence:
            held += line
    assert not fence, f"the block of line {opened} has no end"


def unclaimed(page: Path, text: str) -> list[str]:
    """Sentences about each block of the page that no test runs."""
    name = str(page.relative_to(ROOT))
    found = list(blocks_in(text))
    told = [f"{name}:{one.line}: name the language" for one in found if not one.language]
    told += [f"{name}:{one.line}: the block is empty" for one in found if not body(one.text)]
    told += [
        f"{name}:{one.line}: a command is no {UNRUN}"
        for one in found
        if one.language == UNRUN and COMMAND.search(one.text)
    ]
    run = [one for one in found if one.language not in ("", UNRUN) and body(one.text)]
    if name in TYPED:
        idle = not_typed(run, text, import_module(TYPED[name]))
    else:
        kept = {body(held) for place in KEPT.get(name, ()) for held in texts_at(place)}
        idle = [one for one in run if body(one.text) not in kept]
    return told + [f"{name}:{one.line}: no test runs this block (tests/reference/test_page_blocks.py)" for one in idle]


def not_typed(blocks: list[Block], page: str, module: ModuleType) -> list[Block]:
    """Those that no Reader sees, and those with a name that the module's tests do not type."""
    source = source_of(module)
    seen = {textwrap.dedent(text) for _language, _name, text in TYPEABLE.findall(page)}
    typed = set(re.findall(r"(?:type|text_of)\(\"([\w-]+)\"", source))
    assert ".follow()" in source, f"{module.__name__} follows no page"
    return [one for one in blocks if one.text not in seen or (one.name and one.name not in typed)]


def texts_at(place: str) -> list[str]:
    """The texts under a name of a module. A whole page is none of them: nobody runs its prose."""
    module_name, _, name = place.partition(":")
    module = import_module(module_name)
    assert len(re.findall(rf"\b{name}\b", source_of(module))) > 1, f"{place} is not used"
    found = list(_texts_in(getattr(module, name)))
    return [text for text in found if "```" not in text]


def body(text: str) -> str:
    """A block without the line that names its file."""
    return FILE.sub("", text, count=1).strip()


def source_of(module: ModuleType) -> str:
    assert module.__file__
    return Path(module.__file__).read_text()


def _texts_in(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from _texts_in(list(value.values()))
    elif isinstance(value, list | tuple | set):
        for one in value:
            yield from _texts_in(one)


README = ROOT / "README.md"
TESTING = ROOT / "docs/testing.md"
MAIL_ONCE = ROOT / "docs/how-to/mail-once.md"
TUTORIAL = ROOT / "docs/tutorial.md"
NEW = "\n```python\nprint('new')\n```\n"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_test_runs_each_block(page: Path) -> None:
    assert unclaimed(page, page.read_text()) == []


@pytest.mark.parametrize(
    ("page", "planted", "complaint"),
    [
        (README, NEW, "no test runs this block"),
        (README, NEW.replace("python", ""), "name the language"),
        (README, "\n1. Then:\n\n   ~~~sh\n   make run now\n   ~~~\n", "no test runs this block"),
        (README, "\n```sh\nmake\n```\n", "no test runs this block"),  # a word of a command that a test types
        (README, "\n```sh\n```\n", "the block is empty"),
        (TUTORIAL, "\n```sh\n```\n", "the block is empty"),
        (TESTING, "\n```python\nsettle()\n```\n", "no test runs this block"),
        (MAIL_ONCE, "\n```python\nreturn\n```\n", "no test runs this block"),
        (MAIL_ONCE, "\n```python\nmember_id: UUID\n```\n", "no test runs this block"),  # the end of a text
        (README, "\n```text\nDEMO=1 make run\n```\n", "a command is no text"),
        (README, "\n```text\n.venv/bin/python manage.py check\n```\n", "a command is no text"),
        (README, "\n```text\n$ psql --list\n```\n", "a command is no text"),
        (README, "\n```text\npsql\n```\n", "a command is no text"),
        (README, "\n```text\ncurl -f http://127.0.0.1:8000\n```\n", "a command is no text"),
        (README, "\n```text\nbin/kafka-topics.sh --list\n```\n", "a command is no text"),
        (README, "\n```text\nsudo systemctl restart caddy\n```\n", "a command is no text"),
        (TUTORIAL, "\n```sh new\nmake test\n```\n", "no test runs this block"),
        (TUTORIAL, "\n1. Then:\n\n   ```sh\n   make test\n   ```\n", "no test runs this block"),
        (ROOT / "docs/speed.md", NEW, "no test runs this block"),
    ],
)
def test_a_planted_block_is_found(page: Path, planted: str, complaint: str) -> None:
    told = unclaimed(page, page.read_text() + planted)

    assert [complaint in one for one in told] == [True], told
