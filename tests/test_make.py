"""What somebody sees who types `make run` and `make install` at home, and what a CI writes down of it."""

import os
import pty
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.free_ports import free_ports

ROOT = Path(__file__).resolve().parent.parent
ENDED_SECONDS = 60  # on a machine that is busy otherwise


# --- ports ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "part"), [(0, "the site"), (1, "the sandbox payment provider"), (2, "the station simulator")]
)
def test_a_taken_port_is_named_with_what_to_type_before_anything_begins(tmp_path: Path, at: int, part: str) -> None:
    with taken_port() as port:
        told = make(tmp_path, "run", f"PORT={port - at}")

    assert told.returncode != 0
    assert f"Port {port} of 127.0.0.1 is not free for {part}: Address already in use." in told.stderr
    assert re.search(r"Type: make run PORT=\d+\n", told.stderr)
    assert told.stdout == ""
    assert not (tmp_path / "venv").exists()


def test_what_it_says_to_type_has_three_free_ports(tmp_path: Path) -> None:
    with taken_port() as port:
        told = make(tmp_path, "run", f"PORT={port}")
    [first] = map(int, re.findall(r"make run PORT=(\d+)", told.stderr))

    for number in range(first, first + 3):
        socket.create_server(("127.0.0.1", number)).close()


def test_a_taken_port_that_somebody_chose_is_changed_by_its_own_variable(tmp_path: Path) -> None:
    with taken_port() as port:
        told = make(tmp_path, "run", f"PORT={free_ports(1)[0]}", SIMULATOR_URL=f"http://127.0.0.1:{port}")

    assert re.search(r"Type: make run SIMULATOR_URL=http://127.0.0.1:\d+\n", told.stderr)


def test_a_port_that_is_no_number_is_refused_with_an_example(tmp_path: Path) -> None:
    told = make(tmp_path, "run", "PORT=shop")

    assert told.returncode != 0
    assert "PORT=shop is not a number. Type: make run PORT=8010\n" in told.stderr


@contextmanager
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as held:
        yield held.getsockname()[1]


# --- packages ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["install", "install-dev"])
def test_packages_are_installed_once_and_again_only_when_other_ones_are_required(venv: Path, target: str) -> None:
    file = "requirements.txt" if target == "install" else "requirements-dev.txt"

    make(venv, target)
    assert installed(venv) == [file]

    make(venv, target)
    make(venv, target, f"--what-if={file}")  # a checkout gave it a new date
    assert installed(venv) == [file]

    stamp = venv / "venv" / (".site" if target == "install" else ".dev")
    stamp.write_text("django==1.0")
    make(venv, target, f"--what-if={file}")
    assert installed(venv) == [file, file]


def test_who_has_the_tools_has_what_the_site_runs_on(venv: Path) -> None:
    make(venv, "install-dev")
    make(venv, "install")

    assert installed(venv) == ["requirements-dev.txt"]


def test_who_installs_the_tools_hears_that_the_site_needs_other_packages_too(venv: Path) -> None:
    make(venv, "install")
    (venv / "venv" / ".site").write_text("django==1.0")

    assert "requirements.txt has changed: restart a running site" in make(venv, "install-dev").stdout


def test_a_log_gets_one_line(venv: Path) -> None:
    told = make(venv, "install")

    assert told.stdout == f"Installing the packages of requirements.txt into {venv}/venv\n"
    assert "--quiet" in (venv / "asked").read_text()


@pytest.mark.parametrize(("ci", "quiet"), [("", False), ("true", True)])
def test_a_terminal_shows_the_progress_unless_it_is_a_cis(venv: Path, ci: str, quiet: bool) -> None:
    ours, its = pty.openpty()
    try:
        subprocess.run(
            line(venv, "install"), cwd=ROOT, env=environment(CI=ci), stdout=its, stderr=its, timeout=ENDED_SECONDS
        )
    finally:
        os.close(ours)
        os.close(its)

    assert ("--quiet" in (venv / "asked").read_text()) is quiet


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    """A folder with a virtual environment whose Python only writes down what pip is asked."""
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n')
    python.chmod(0o700)
    (tmp_path / "venv" / ".made").touch()
    return tmp_path


def installed(folder: Path) -> list[str]:
    """The files that pip was asked to install, in order."""
    return re.findall(r"pip .*install .*--requirement (\S+)", (folder / "asked").read_text())


def make(folder: Path, *typed: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        line(folder, *typed),
        cwd=ROOT,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=ENDED_SECONDS,
    )


def line(folder: Path, *typed: str) -> list[str]:
    return ["make", "--no-print-directory", f"VENV={folder}/venv", *typed]


def environment(**variables: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], **variables}
