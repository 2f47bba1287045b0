"""Command lines in the project's own errors and remedies are taken by `manage.py`. What is wrong in one is found."""

import pytest

from tests.reference.command_lines import wrong_in_page, wrong_in_source
from tests.reference.page_words import wrong_words
from tests.reference.tables import ROOT

SOURCES = [path for name in ("eventbus", "mcommerce", "stations", "outside") for path in (ROOT / name).rglob("*.py")]
PAGE = ROOT / "docs" / "operations.md"


def test_the_commands_of_errors_and_remedies_are_taken() -> None:
    found = {path: wrong_in_source(path.read_text()) for path in [ROOT / "manage.py", *SOURCES]}

    assert {str(path.relative_to(ROOT)): told for path, told in found.items() if told} == {}


@pytest.mark.parametrize(
    ("source", "complaint"),
    [
        ('f"Run manage.py eventbus closes {group}."', "invalid choice: 'closes'"),
        ('f"Run manage.py eventbus close, or bring {group} back."', "required: GROUP"),
        ('f"Make them with manage.py eventbus topics --aply"', "unrecognized arguments: --aply"),
        ('f"Start further manage.py " f"handle_events --groups {group}, or wait."', "unrecognized arguments"),
        ('"""Repairs. `manage.py eventbus restored --appl` applies them."""', "unrecognized arguments: --appl"),
        ('named(rows, ids, what="record", command="untrust")', "invalid choice: 'untrust'"),
        ('"run manage.py migrat"', "there is no such command"),
    ],
)
def test_a_wrong_word_in_a_remedy_is_found(source: str, complaint: str) -> None:
    [told] = wrong_in_source(source)

    assert complaint in told


@pytest.mark.parametrize(
    "source",
    [
        'f"Run manage.py eventbus close {group}."',
        '"See manage.py eventbus dead, then requeue or discard."',
        'f"manage.py eventbus replay {run.group} --resume {run.pk}"',
        '"manage.py eventbus topics --apply makes them so."',
    ],
)
def test_a_right_remedy_is_let_pass(source: str) -> None:
    assert wrong_in_source(source) == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("`manage.py eventbus requeue --groups=mail`", "unrecognized arguments: --groups=mail"),
        ("`manage.py eventbus untrust`", "invalid choice: 'untrust'"),
        ("`eventbus resend --al`", "unrecognized arguments: --al"),
        ("`runserver --port 8010`", "unrecognized arguments: --port"),
        ("`--no-audits` answers at once", "no command has the option --no-audits"),
        ("```sh\nDEMO=1 manage.py eventbus prune --older-than soon && make run\n```\n", "--older-than"),
        ("```\n   manage.py eventbus close   # a group\n```\n", "required: GROUP"),
        ("```sh x\n./docker-entrypoint relays\n```\n", "role:relays"),
        ("```sh\n./docker-entrypoint handle --groups mail\n```\n", "unrecognized arguments"),
        ("`docker compose run --rm pages manage load_demo`", "there is no such command"),
    ],
)
def test_a_wrong_word_in_a_command_of_a_page_is_found(text: str, complaint: str) -> None:
    [told] = wrong_in_page(text)

    assert complaint in told


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("`make tests`", "make tests: there is no such target"),
        ("```sh\nmake benches  # figures\n```\n", "make benches: there is no such target"),
        ("`EVENTBUS_BACKENDS`", "EVENTBUS_BACKENDS: nothing reads this variable"),
        ("```sh\nEVENTBUS_BACKENDS=kafka make run\n```\n", "EVENTBUS_BACKENDS: nothing reads this variable"),
        ("[a page](no-such-page.md)", "no-such-page.md: the link leads nowhere"),
        ("[a part](testing.md#no-such-part)", "testing.md#no-such-part: there is no such heading"),
        ("[a part](#no-such-part)", "#no-such-part: there is no such heading"),
    ],
)
def test_a_word_that_stands_for_nothing_is_found(text: str, complaint: str) -> None:
    assert wrong_words(text, PAGE) == [complaint]
