"""The programs of `docs/how-to/another-language.md`, as a reader of that page has them: copied, compiled and run."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.kafka.jars import fetch_jars, find_java

PAGE = Path(__file__).parents[2] / "docs/how-to/another-language.md"
PROGRAM = re.compile(r"^`([\w.]+)`, run by `[^`]+`:\n\n```\w+\n(.*?)^```", re.MULTILINE | re.DOTALL)
DECLARATION = re.compile(r"In the site's code:\n\n```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
JVM = ["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
COMPILE_SECONDS = 120  # on a busy machine
RUN_SECONDS = 120

Run = Callable[..., str]


def declaration() -> str:
    """What the page adds to the site's code."""
    found = DECLARATION.search(PAGE.read_text())
    assert found, "the page declares no event"
    return found[1]


def copy_programs(folder: Path) -> list[str]:
    """Write each program of the page into a file of its name. Returns the names."""
    programs = dict(PROGRAM.findall(PAGE.read_text()))
    for name, text in programs.items():
        (folder / name).write_text(text)
    return sorted(programs)


def compile_java(folder: Path) -> None:
    """As a developer would, with all warnings as errors."""
    compiler = shutil.which("javac")
    assert compiler, "no javac is here (Debian: apt install default-jdk-headless)"
    sources = sorted(map(str, folder.glob("*.java")))
    command = [compiler, "-Xlint:all,-processing", "-Werror", "-cp", f"{fetch_jars()}/*", "-d", str(folder), *sources]
    done = subprocess.run(command, capture_output=True, text=True, timeout=COMPILE_SECONDS)
    assert done.returncode == 0, done.stderr


def run(folder: Path, name: str, *arguments: str, environment: Mapping[str, str]) -> str:
    """What a program prints. It is given nothing but what the page names."""
    stem, _, language = name.rpartition(".")
    if language == "java":
        command = [find_java(), *JVM, "-cp", f"{folder}:{fetch_jars()}/*", stem]
    else:
        command = [sys.executable, str(folder / name)]
    given = {"PATH": os.environ["PATH"], **environment}
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=RUN_SECONDS, env=given)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()
