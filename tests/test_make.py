"""What somebody sees who types `make run` and `make install` at home."""

import os
import re
import socket
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ENDED_SECONDS = 60  # on a machine that is busy otherwise


def test_a_taken_port_is_named_with_what_to_type_before_anything_begins(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        told = make(tmp_path, "run", f"PORT={port}")

    assert told.returncode != 0
    assert f"Port {port} of 127.0.0.1 is not free for the site: Address already in use." in told.stderr
    assert re.search(r"Type: make run PORT=\d+\n", told.stderr)
    assert not (tmp_path / "venv").exists()


def test_a_port_that_is_no_number_is_refused_with_an_example(tmp_path: Path) -> None:
    told = make(tmp_path, "run", "PORT=shop")

    assert told.returncode != 0
    assert "PORT=shop is not a number. Type: make run PORT=8010\n" in told.stderr


@pytest.mark.parametrize("target", ["install", "install-dev"])
def test_packages_are_installed_once_and_again_only_when_other_ones_are_required(tmp_path: Path, target: str) -> None:
    file = "requirements.txt" if target == "install" else "requirements-dev.txt"
    python = tmp_path / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/asked\n')  # writes down what pip is asked
    python.chmod(0o700)
    (tmp_path / "venv" / ".made").touch()

    make(tmp_path, target)
    make(tmp_path, target, f"--what-if={file}")  # a checkout gave it a new date
    assert installed(tmp_path) == [file]

    (tmp_path / "venv" / (".site" if target == "install" else ".dev")).write_text("django==1.0")
    make(tmp_path, target, f"--what-if={file}")
    assert installed(tmp_path) == [file, file]


def installed(folder: Path) -> list[str]:
    """The files that pip was asked to install, in order."""
    return re.findall(r"pip .*install .*--requirement (\S+)", (folder / "asked").read_text())


def make(folder: Path, *typed: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", "--no-print-directory", f"VENV={folder}/venv", *typed],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=ENDED_SECONDS,
    )
