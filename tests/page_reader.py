"""A reader who types a page of the docs into a copy of the project: each file and each command, word for word.

The first line of a block names its file. Where it says "at the end", the block is added to the file, otherwise it is
the whole file. Commands are blocks of `sh`. Nobody types `text`. A block with a name is typed by `type` only.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.outbox_check import misfits_of
from tests.test_startapp import ROOT, copy_project

BLOCK = re.compile(r"^```(\w+)(?: ([\w-]+))?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FILE = re.compile(r"^(?:#|<!--) (?P<path>\S+?\.\w+)(?P<added>, at the end)?(?: -->)?\n")
DEADLINE_SECONDS = 300  # for processes that start on a machine with other work


class Reader:
    """Somebody who types what a page says, in a copy of the project."""

    def __init__(self, folder: Path, page: str) -> None:
        self.folder = copy_project(folder)
        (self.folder / "Makefile").write_text((ROOT / "Makefile").read_text())
        self.page = (ROOT / "docs" / page).read_text()
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        self.environment = kept | {"VAR_DIR": str(self.folder / "var"), "DEMO": "1", "NO_COLOR": "1"}

    def follow(self) -> None:
        """Write each file and type each command, in the order of the page; what has a name is typed later."""
        for kind, name, text in BLOCK.findall(self.page):
            if kind == "sh" and not name:
                told = self.attempt(text)
                assert told.returncode == 0, f"{text}\n{told.stdout}"
            elif kind not in ("sh", "text") and not name:
                self.write(text)

    def write(self, text: str) -> None:
        """Write the file that a block holds, or add the block to it."""
        begin = FILE.match(text)
        assert begin, f"no file is named: {text[:80]}"
        file, content = self.folder / begin["path"], text[begin.end() :]
        assert file.exists() or not begin["added"], f"{file} is to be added to, and does not exist"
        file.parent.mkdir(parents=True, exist_ok=True)
        gap = "\n\n" if file.suffix == ".py" else ""
        file.write_text(file.read_text() + gap + content if begin["added"] else content)

    def text_of(self, name: str) -> str:
        """The block with this name."""
        [text] = [text for _kind, label, text in BLOCK.findall(self.page) if label == name]
        return text

    def type(self, name: str, **environment: str) -> str:
        """Type the block with this name; what it printed."""
        told = self.attempt(self.text_of(name), **environment)
        assert told.returncode == 0, told.stdout
        return told.stdout

    def attempt(self, text: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Type these lines, and return their outcome."""
        make = f"make --assume-old=install-dev VENV={sys.prefix} "  # the tests have installed what the page needs
        fitted = text.replace(".venv/bin/python", sys.executable).replace("make ", make)
        fitted = fitted.replace("127.0.0.1:9092", environment.get("KAFKA_BOOTSTRAP_SERVERS", ""))
        done = subprocess.run(
            ["sh", "-ec", fitted],
            cwd=self.folder,
            env=self.environment | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=DEADLINE_SECONDS,
        )
        assert done.returncode in (0, 1), done.stdout
        return done

    def misfits(self, **environment: str) -> list[str]:
        """The rows of the site's outbox that do not fit the JSON Schemas of their events."""
        return misfits_of(self.environment | environment, folder=self.folder)

    def run(self, code: str, **environment: str) -> str:
        """Run Python code in the project, and return what it printed."""
        command = [sys.executable, "manage.py", "shell", "--verbosity=0", "--command", code]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment | environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def find_nothing_wrong(self, app: str) -> None:
        """Let the project's own checks look at the app of the page."""
        mine = f"mcommerce/{app} mcommerce/events.py tests/mcommerce/{app}"
        tools = Path(sys.executable).parent
        for command in (
            f"{tools}/ruff check {mine}",
            f"{tools}/ruff format --check {mine}",
            ".venv/bin/python -m tests.import_contracts --no-cache",
            ".venv/bin/python manage.py makemigrations --check --dry-run",
            ".venv/bin/python manage.py check --fail-level WARNING",
            ".venv/bin/python -m pytest -q tests/test_architecture.py tests/test_prose.py",
        ):
            told = self.attempt(command)
            assert told.returncode == 0, told.stdout
