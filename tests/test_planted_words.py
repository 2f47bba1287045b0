"""A wrong word that is planted in a copy of a page is found, by the checks that the page has for its words."""

import json
import re
import zlib
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from uuid import UUID

import pytest
from django.template import engines
from django.utils import translation

from eventbus.backends.topics import declare_topic
from mcommerce.events import OrderPaid
from mcommerce.web.slots import fragment
from stations.live.live_state import LiveState
from stations.sockets.pull_socket import error
from tests.eventbus import test_debezium as debezium
from tests.eventbus import test_readme_example, test_testing
from tests.how_to import blocks
from tests.how_to import test_fragment_on_another_page as fragment_page
from tests.how_to import test_mail_once as mail_once
from tests.reference import programs, socket_program
from tests.reference import test_bus_page_code as bus_page
from tests.reference.command_lines import wrong_in_page
from tests.reference.frame_shapes import shape_of
from tests.reference.page_words import wrong_words
from tests.reference.tables import ROOT

PAGES = [ROOT / "README.md"]
PAGES += [ROOT / f"docs/{name}.md" for name in ("tutorial", "operations", "runbook", "debezium", "testing")]
PAGES += [ROOT / f"docs/reference/{name}.md" for name in ("bus", "testing")]
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
    """The code cannot be run with the wrong word in it, and the error names what is wrong."""
    assert right in code
    [word] = set(re.findall(r"\w+", wrong)) - set(re.findall(r"\w+", right))
    with pytest.raises((ImportError, NameError, TypeError, AttributeError), match=word):
        exec(code.replace(right, wrong), {"__name__": "planted", **names})  # noqa: S102  # ours


def test_a_wrong_name_in_the_readmes_example_fails() -> None:
    fails(test_readme_example.DECLARED, "import Event, handles", "import Event, handling")
    fails(test_readme_example.DECLARED, 'topic="teas"', 'topics="teas"')


@pytest.mark.parametrize(
    ("code", "right", "wrong"),
    [
        (mail_once.FILES["mcommerce/newsletter/events.py"], "topic=", "topics="),
        (mail_once.FILES["mcommerce/newsletter/handlers.py"], "clock, effect", "clock, effects"),
        (mail_once.FILES["mcommerce/newsletter/mail.py"], "import send_once", "import sent_once"),
        (programs.declaration(), "unsigned_from", "unsigned_by"),
        (blocks("add-a-french-text.md", "python")[0], "import gettext", "import gettexts"),
        (bus_page.IMPORTED, "effect", "effects"),
        (test_testing.IMPORTS, "published_events", "publishing_events"),
    ],
)
def test_a_wrong_name_in_a_pages_code_fails(code: str, right: str, wrong: str) -> None:
    fails(code, right, wrong)


@pytest.mark.parametrize(
    ("code", "right", "wrong", "names"),
    [
        (bus_page.PUBLISHED, "publish(", "publishes(", {"order": SimpleNamespace(save=lambda: None)}),
        (bus_page.DECLARED, "topic=", "topics=", {}),
        (bus_page.HANDLED, "group=", "groups=", {"OrderPaid": OrderPaid}),
        (bus_page.MAILED, "on_unknown_outcome", "on_unknown", {"OrderPaid": OrderPaid}),
        (bus_page.TOPIC, "retention=", "retains=", {"declare_topic": declare_topic, "timedelta": timedelta}),
        (bus_page.FRAGMENT, "updates_on", "updated_on", {"fragment": fragment, "PointsGranted": OrderPaid}),
        (fragment_page.MATCHING, "matches", "matching", {"fragment": fragment, "PapersChanged": OrderPaid}),
    ],
)
def test_a_wrong_name_in_a_piece_of_code_fails(code: str, right: str, wrong: str, names: dict[str, object]) -> None:
    known = {"transaction": SimpleNamespace(atomic=nullcontext), "UUID": UUID}
    whole = f"{bus_page.IMPORTED}{code}" + ("def piece(): ..." if code.startswith("@") and "def " not in code else "")

    fails(whole, right, wrong, **known | names)


# --- what other programs read --------------------------------------------------------------------------------------

FRAMES = {"snapshot": zlib.decompress(LiveState().channel("").snapshot()), "error": error("bad_json", "Send JSON.")}


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [("snapshot", '"columns":', '"column":'), ("snapshot", '"seq",', '"seq","prev",'), ("error", ',"code"', "")],
)
def test_a_wrong_name_in_a_frame_is_found(kind: str, right: str, wrong: str) -> None:
    [written] = [one for _way, one in socket_program.WRITTEN if f'"type":"{kind}"' in one]
    frame = json.loads(FRAMES[kind])

    assert right in written
    assert not list(shape_of(written).misfits(frame, kind))
    assert list(shape_of(written.replace(right, wrong)).misfits(frame, kind))


@pytest.mark.parametrize("column", ["event_id", "key", "payload", "topic", "created_at"])
def test_a_wrong_column_of_the_connector_is_found(column: str) -> None:
    assert debezium.unknown_columns(debezium.PROPERTIES) == set()
    assert debezium.unknown_columns(re.sub(rf"([=,]){column}\b", rf"\1{column}{WRONG}", debezium.PROPERTIES))


def test_a_word_too_few_for_a_program_is_found() -> None:
    with pytest.raises(AssertionError, match="other arguments"):
        programs.line_of("WriteParcel.java", "1234")


def test_a_wrong_line_of_what_a_template_prints_is_found() -> None:
    [template], [french] = (blocks("add-a-french-text.md", kind) for kind in ("html", "html-in-french"))

    with translation.override("fr"):
        printed = engines["django"].from_string(template).render({"points": 0}).strip()

    assert printed != french.replace("Vos", "Nos").strip()
