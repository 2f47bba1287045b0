"""The tools' opinion is a test like any other, and a fault of security that somebody adds is found."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MAKEFILE = (ROOT / "Makefile").read_text()
TOOLS = re.findall(r"^(lint-\w+):", MAKEFILE, re.MULTILINE)
RUFF, BANDIT = (str(Path(sys.executable).with_name(name)) for name in ("ruff", "bandit"))


@pytest.mark.parametrize("tool", TOOLS)
def test_the_tools_have_nothing_to_say(tool: str) -> None:
    environment = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}

    told = subprocess.run(
        ["make", "--no-print-directory", tool, f"VENV={sys.prefix}"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )

    assert told.returncode == 0, told.stdout + told.stderr


def test_make_lint_asks_all_of_them_also_behind_one_that_complains() -> None:
    [listed] = re.findall(r"^LINTS := (.+)$", MAKEFILE, re.MULTILINE)

    assert sorted(listed.split()) == sorted(TOOLS)
    assert "--keep-going $(LINTS)" in MAKEFILE


@pytest.mark.parametrize(
    ("fault", "rule"),
    [
        ("import subprocess\n\n\ndef run(said: str) -> None:\n    subprocess.run(said, shell=True)\n", "S602"),
        ("def find(said: str) -> str:\n    return f\"SELECT id FROM orders WHERE name = '{said}'\"\n", "S608"),
    ],
)
def test_a_fault_of_security_is_found(fault: str, rule: str) -> None:
    asked = [
        RUFF,
        "check",
        "--no-cache",
        "--output-format=concise",
        "--stdin-filename=mcommerce/orders/services/lines.py",
    ]

    told = subprocess.run([*asked, "-"], cwd=ROOT, input=fault, capture_output=True, text=True)

    assert rule in told.stdout


def test_what_only_bandit_knows_is_found(tmp_path: Path) -> None:
    (tmp_path / "views.py").write_text(
        "from django.utils.safestring import mark_safe\n\n\ndef show(said):\n    return mark_safe(said)\n"
    )

    told = subprocess.run(
        [BANDIT, "--quiet", "--configfile", "pyproject.toml", str(tmp_path / "views.py")],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )

    assert "B308" in told.stdout


def test_every_exception_of_security_has_its_reason() -> None:
    """As in `# a constant # nosec B308`, or on the line above a list in pyproject.toml."""
    rule, marked = (
        re.compile(r"#\s*(nosec\b|noqa\b(?!:)|noqa:[\w\s,]*\bS\d)"),
        re.compile(r"#\s*(nosec|noqa)\b:?[A-Z\d\s,]*"),
    )
    files = [file for name in ("mcommerce", "stations", "outside", "eventbus") for file in (ROOT / name).rglob("*.py")]
    lines = [line for file in files for line in file.read_text().splitlines() if rule.search(line)]

    assert lines
    assert [line for line in lines if not re.search(r"\w", marked.sub("", line[line.index("#") :]))] == []
