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
PROGRAM = re.compile(r"^`([\w.]+)`, run by `([^`]+)`:\n\n```\w+\n(.*?)^```", re.MULTILINE | re.DOTALL)
DECLARATION = re.compile(r"In the site's code:\n\n```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
PROGRAMS = {name: text for name, _line, text in PROGRAM.findall(PAGE.read_text())}
LINES = {name: line for name, line, _text in PROGRAM.findall(PAGE.read_text())}  # that run them
[DECLARED] = DECLARATION.findall(PAGE.read_text())
JVM = "-Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1"
COMPILE_SECONDS = 120  # on a busy machine
RUN_SECONDS = 120

Run = Callable[..., str]


def declaration() -> str:
    """What the page adds to the site's code."""
    return DECLARED


def copy_programs(folder: Path) -> list[str]:
    """Write each program of the page into a file of its name. Returns the names."""
    for name, text in PROGRAMS.items():
        (folder / name).write_text(text)
    return sorted(PROGRAMS)


def compile_java(folder: Path) -> None:
    """As a developer would, with all warnings as errors."""
    compiler = shutil.which("javac")
    assert compiler, "no javac is here (Debian: apt install default-jdk-headless)"
    sources = sorted(map(str, folder.glob("*.java")))
    command = [compiler, "-Xlint:all,-processing", "-Werror", "-cp", f"{fetch_jars()}/*", "-d", str(folder), *sources]
    done = subprocess.run(command, capture_output=True, text=True, timeout=COMPILE_SECONDS)
    assert done.returncode == 0, done.stderr


def run(folder: Path, name: str, *arguments: str, environment: Mapping[str, str]) -> str:
    """What a program prints that is run by the page's line. It is given nothing but what the page names."""
    libs = folder / "libs"
    if name.endswith(".java") and not libs.exists():
        libs.symlink_to(fetch_jars())
    programs = [Path(find_java()).parent] if name.endswith(".java") else []
    path = os.pathsep.join(map(str, [Path(sys.executable).parent, *programs, os.environ["PATH"]]))
    given = {"PATH": path, "JAVA_TOOL_OPTIONS": JVM, **environment}
    done = subprocess.run(
        line_of(name, *arguments),
        shell=True,  # as somebody types it
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS,
        env=given,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.strip()


def line_of(name: str, *arguments: str) -> str:
    """The page's line that runs a program, with these arguments for its words in capitals."""
    told = LINES[name]
    names = re.findall(r"\b[A-Z_]+$|\b[A-Z_]+(?= )", told)
    assert len(names) == len(arguments), f"{told} has other arguments"
    for argument, value in zip(names, arguments, strict=True):
        told = told.replace(argument, value)
    return told
