"""Commands of other programs than manage.py and make, in sentences of the docs, do what the sentence says."""

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from tests.reference import programs
from tests.reference.page_blocks import OTHERS, PAGES
from tests.reference.page_words import spans
from tests.reference.tables import ROOT
from tests.test_compose import ONCE, wrong_in_compose

COMMAND = re.compile(rf"^(?:[A-Z_]+=\S+ )*(?:{OTHERS}) ")
TOKEN = "a-token-of-the-tests"
HELP_SECONDS = 60  # Python starting on a loaded machine
# These are sentences about tools of the machine. A test must not install packages, and the tests have no other tools
# of Kafka than its brokers.
NOT_TYPED = re.compile(r"^(?:apt install [\w -]+|pip install confluent-kafka|kill -9|kafka-[a-z-]+\.sh --.*)$")


def commands() -> list[str]:
    found = {" ".join(one.split()) for page in PAGES for one in spans(page.read_text())}
    return sorted(one for one in found if COMMAND.match(one) and not NOT_TYPED.match(one))


@pytest.mark.parametrize("command", commands())
def test_a_command_in_a_sentence_holds(command: str, settings: Any) -> None:
    settings.HEALTH_TOKEN = TOKEN

    assert complaint(command) == ""


@pytest.mark.parametrize(
    "command",
    [
        "docker compose up --detached pages",
        "docker compose run --rm page manage migrate",
        "docker ps",
        "python -m tests.rollings",
        "python -m benchmarks --onli desk",
        "python -c 'import secret'",
        "python write_parcels.py",
        'java -cp "libs/*" ReadStation.java',
        'curl -H "Authorization: Bearer $HEALTH" http://.../health/ready',
        "psql --list",
    ],
)
def test_a_wrong_word_in_one_is_found(command: str, settings: Any) -> None:
    settings.HEALTH_TOKEN = TOKEN

    assert COMMAND.match(command) and complaint(command)


def test_what_is_not_typed_is_still_in_the_docs() -> None:
    found = [" ".join(one.split()) for page in PAGES for one in spans(page.read_text())]

    assert any(NOT_TYPED.match(one) for one in found)


# --- how it is found out -------------------------------------------------------------------------------------------


def complaint(command: str) -> str:
    """What is wrong with a command. One that nobody here can try is wrong too."""
    if command in programs.LINES.values():  # tests/reference/test_another_language.py types these
        return ""
    tried = [check for start, check in CHECKS.items() if re.match(start, command)]
    return tried[0](shlex.split(command)) if tried else f"{command}: no test tries this"


def of_compose(words: list[str]) -> str:
    """A one-off `manage` in a service is a command of manage.py, which tests/test_readme.py parses."""
    if "manage" in words and words[2:4] == ["run", "--rm"]:
        return wrong_in_compose("up", words[4]) if words[4] not in ONCE else f"{words[4]} has its own command"
    return wrong_in_compose(*words[2:])


def of_module(words: list[str]) -> str:
    """Its help has the options."""
    told = subprocess.run(
        [sys.executable, "-m", words[2], "--help"], cwd=ROOT, capture_output=True, text=True, timeout=HELP_SECONDS
    )
    unknown = [one for one in words[3:] if one.startswith("--") and not re.search(rf"{one}\b", told.stdout)]
    return told.stderr or " ".join(unknown)


def of_code(words: list[str]) -> str:
    """It prints a secret that is long enough."""
    told = subprocess.run([sys.executable, *words[1:]], capture_output=True, text=True, timeout=HELP_SECONDS)
    return told.stderr or ("" if len(told.stdout.strip()) >= 50 else "the secret is short")


def of_curl(words: list[str]) -> str:
    """With the header, the answer has the result of each part."""
    name, _, value = words[words.index("-H") + 1].partition(": ")
    path = re.sub(r"^http://[^/]+", "", words[-1])
    answer = Client().get(path, headers={name: value.replace("$HEALTH_TOKEN", TOKEN)})
    return "" if "outside" in answer.json() else f"{path} gives no details"


CHECKS: dict[str, Callable[[list[str]], str]] = {
    r"docker compose ": of_compose,
    r"python -m ": of_module,
    r"python -c ": of_code,
    r"curl ": of_curl,
}
