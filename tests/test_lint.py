"""`make lint` asks two tools about security; whoever is excepted says why, and a fault that somebody adds is found."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "pyproject.toml").read_text()
PROJECT = tomllib.loads(TEXT)["tool"]
MAKEFILE = (ROOT / "Makefile").read_text()
LINT = MAKEFILE.partition("\nLINTS :=")[2].partition("\nformat:")[0]
RUFF, BANDIT = (str(Path(sys.executable).with_name(name)) for name in ("ruff", "bandit"))
RULE = re.compile(r'"(S\d*|B\d+)"')
INLINE = re.compile(r"#\s*(nosec\b|noqa\b(?!:)|noqa:[\w\s,]*\bS\d)")  # of the two tools about security, or of all rules
MARK = re.compile(r"#\s*(nosec|noqa)\b:?([\s,]*\b[A-Z]+\d+\b)*")


@pytest.mark.parametrize("package", ["mcommerce", "stations", "outside", "eventbus"])
def test_lint_asks_both_about_every_package(package: str) -> None:
    site = re.search(r"^SITE := (.+)$", MAKEFILE, re.MULTILINE)

    assert site and package in site[1].split()
    assert "bandit --quiet --recursive --configfile pyproject.toml $(SITE)" in LINT
    assert "ruff check ." in LINT
    assert "S" in PROJECT["ruff"]["lint"]["select"]


def test_all_tools_are_asked_even_behind_one_that_complains() -> None:
    """Whoever mends one complaint sees the others as well."""
    asked, _, rest = LINT.partition("\n")

    assert set(asked.split()) == set(re.findall(r"^(lint-\w+):", rest, re.MULTILINE))
    assert "--keep-going $(LINTS)" in rest


def test_every_exception_has_its_reason() -> None:
    """On its line, or on the comment above the lines that it heads."""
    lines = TEXT.splitlines()
    without = []
    for number, line in enumerate(lines):
        if RULE.search(line) and "select =" not in line and "# " not in line:
            above = next(lines[back] for back in range(number, 0, -1) if not RULE.search(lines[back]))
            without += [] if above.startswith("# ") else [line]

    assert without == []


def test_every_exception_in_the_code_has_its_reason_on_its_line() -> None:
    """As in `# a constant # nosec B308`, or `# noqa: S603  # our own program`."""
    without = [
        f"{file.relative_to(ROOT)}:{number}"
        for file in python_files()
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if INLINE.search(line) and not has_reason(line)
    ]

    assert without == []


@pytest.mark.parametrize(
    "line", ["f()  # nosec", "f()  # noqa", "f()  # nosec B308", "f()  # noqa: S603", "f()  # noqa: E501, S1 # #"]
)
def test_an_exception_without_a_reason_is_found(line: str) -> None:
    assert INLINE.search(line)
    assert not has_reason(line)


@pytest.mark.parametrize("line", ["f()  # ours # nosec B308", "f()  # nosec B308  # ours", "f()  # noqa: S603 (ours)"])
def test_an_exception_with_a_reason_is_none_of_them(line: str) -> None:
    assert INLINE.search(line)
    assert has_reason(line)


def has_reason(line: str) -> bool:
    """Whether the comments of the line hold a word besides the names of tools and rules."""
    comments = line[line.index("#") :]
    return bool(re.search(r"\w", MARK.sub("", comments)))


def python_files() -> list[Path]:
    """The site's own: tests are no part of it."""
    named = [ROOT / name for name in SITE_FILES]
    return [file for one in named for file in ([one] if one.is_file() else sorted(one.rglob("*.py")))]


def test_no_file_is_excepted_that_needs_it_no_more() -> None:
    """Each exception is taken away in turn: ruff then finds something."""
    found = subprocess.run(
        [RUFF, "check", "--isolated", "--select=S", "--output-format=concise", *SITE_FILES],
        cwd=ROOT,
        capture_output=True,
        text=True,
    ).stdout
    needed = {(line.partition(":")[0], rule) for line in found.splitlines() for rule in re.findall(r" (S\d+) ", line)}
    excepted = {
        (name, rule)
        for pattern, rules in PROJECT["ruff"]["lint"]["per-file-ignores"].items()
        for name in named(pattern)
        for rule in rules
        if rule.startswith("S")
    }

    assert excepted == needed


SITE_FILES = ["mcommerce", "stations", "outside", "eventbus", "manage.py", "docker-entrypoint"]


def named(pattern: str) -> list[str]:
    """The files of the site that it names: one, or those between braces. Tests are no part of it."""
    if pattern.startswith(("**", "{")):
        return []
    before, _, rest = pattern.partition("{")
    middle, _, after = rest.partition("}")
    return [before + one + after for one in middle.split(",")] if rest else [pattern]


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        ("import subprocess\n\n\ndef run(said: str) -> None:\n    subprocess.run(said, shell=True)\n", "S602"),
        ("import pickle\n\n\ndef load(said: bytes) -> object:\n    return pickle.loads(said)\n", "S301"),
        ("def find(said: str) -> str:\n    return f\"SELECT id FROM orders WHERE name = '{said}'\"\n", "S608"),
        ("import random\n\nkey = random.random()\n", "S311"),
    ],
)
def test_a_fault_that_somebody_adds_is_found(fault: str, rule: str) -> None:
    asked = [
        RUFF,
        "check",
        "--no-cache",
        "--output-format=concise",
        "--stdin-filename=mcommerce/orders/services/lifecycle.py",
        "-",
    ]

    told = subprocess.run(asked, cwd=ROOT, input=fault, capture_output=True, text=True)

    assert rule in told.stdout


def test_what_only_bandit_knows_is_found(tmp_path: Path) -> None:
    (tmp_path / "views.py").write_text(
        "from django.utils.safestring import mark_safe\n\n\ndef show(said):\n    return mark_safe(said)\n"
    )
    asked = [BANDIT, "--quiet", "--configfile", "pyproject.toml", str(tmp_path / "views.py")]

    told = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True)

    assert told.returncode == 1
    assert "B308" in told.stdout
