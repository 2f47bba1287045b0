"""The folder that keeps the site's files: who may read them, and what is said where it takes nothing."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.full_disk import fill, small_disk
from tests.test_settings import ROOT, python


def test_orders_and_addresses_are_for_the_sites_user_alone(tmp_path: Path) -> None:
    code = (
        "import os; os.umask(0o022);"
        "from django.core.management import call_command; call_command('migrate', verbosity=0);"
        "from mcommerce.payment.sandbox_process import start_sandbox_provider as start; company = start(port=0);"
        "from pathlib import Path; from django.conf import settings as s;"
        "print({path.name: oct(path.stat().st_mode & 0o777) for path in sorted(s.VAR_DIR.iterdir()) if path.is_file()})"
    )

    told = python(tmp_path, code)

    rights = ast.literal_eval(told.stdout)
    names = {"mcommerce.sqlite3", "sandbox-provider.sqlite3"}
    assert {f"{name}{end}" for name in names for end in ("", "-wal", "-shm")} <= set(rights), told.stderr
    assert set(rights.values()) == {"0o600"}


@pytest.mark.parametrize("role", ["pages", "live", "all", "manage"])
def test_a_folder_that_takes_nothing_is_told_in_one_sentence(tmp_path: Path, role: str) -> None:
    folder = tmp_path / "no-folder"
    folder.touch()  # root may write in any folder, and nobody beneath a file

    told = start(role, VAR_DIR=str(folder / "var"))

    assert told.returncode != 0
    assert told.stderr.splitlines() == [
        f"VAR_DIR keeps its files in {folder}/var, and {folder}/var cannot be used there: Not a directory. "
        "Let this user write there, or name another folder in VAR_DIR"
    ]


def test_a_folder_that_is_read_only_is_told_in_one_sentence(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "ro"):
        told = start("pages", VAR_DIR=str(tmp_path / "disk"))

    assert told.returncode != 0
    assert len(told.stderr.splitlines()) == 1
    assert "Read-only file system. Let this user write there, or name another folder" in told.stderr


def test_a_folder_that_is_full_is_told_in_one_sentence(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "size=300k") as disk:
        fill(disk)
        told = start("pages", VAR_DIR=str(disk))

    assert told.returncode != 0
    assert len(told.stderr.splitlines()) == 1
    assert "No space left on device. Let this user write there, or name another folder" in told.stderr


def start(role: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What a role of the image says that cannot start."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [sys.executable, "docker-entrypoint", role, *(["check"] if role == "manage" else [])],
        cwd=ROOT,
        env={"PATH": path, "PORT": "9", "LISTEN_HOST": "127.0.0.1", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
