"""A block that somebody writes into README.md or docs/ fails the build until a test runs it."""

from pathlib import Path

import pytest

from tests.reference.page_blocks import KEPT, PAGES, TYPED, blocks_in, body, texts_at, unclaimed
from tests.reference.tables import ROOT

README = ROOT / "README.md"
TESTING = ROOT / "docs/testing.md"
MAIL_ONCE = ROOT / "docs/how-to/mail-once.md"
TUTORIAL = ROOT / "docs/tutorial.md"
NEW = "\n```python\nprint('new')\n```\n"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_test_runs_each_block(page: Path) -> None:
    assert unclaimed(page, page.read_text()) == []


def test_every_place_that_is_named_holds_a_block_of_its_page() -> None:
    found = {page: {body(one.text) for one in blocks_in((ROOT / page).read_text())} for page in KEPT}
    empty = [
        (page, place)
        for page, places in KEPT.items()
        for place in places
        if not any(body(held) in found[page] for held in texts_at(place))
    ]

    assert empty == []
    assert not KEPT.keys() & TYPED.keys()


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


def test_what_a_page_prints_is_let_pass() -> None:
    assert unclaimed(README, README.read_text() + "\n```text\nHandled 3 events\n```\n") == []
