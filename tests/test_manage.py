"""What the command line says when a command cannot do its work."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import django
import pytest
from django.utils import autoreload

import mcommerce
from mcommerce.daphne.management.commands import runserver as daphne_runserver
from tests.free_ports import free_ports
from tests.test_settings import ROOT, python

pytestmark = pytest.mark.sites

RELOAD = 3  # the exit code by which Django's reloader starts its child again
ENDED_SECONDS = 60  # on a machine that is busy otherwise


def test_a_command_in_a_wrong_environment_says_what_to_set_and_no_more(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "VAR_DIR": str(tmp_path), "EVENTBUS_BACKEND": "rabbit"}
    command = [sys.executable, "manage.py", "migrate"]

    short, long = (
        subprocess.run([*command, *more], cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        for more in ([], ["--traceback"])
    )

    assert (short.returncode, short.stderr.strip()) == (
        1,
        "The environment is wrong: EVENTBUS_BACKEND: Must be one of: memory, kafka.",
    )
    assert "Traceback" in long.stderr


def test_topics_are_asked_for_before_there_are_tables(tmp_path: Path) -> None:
    code = "from django.core.management import call_command; call_command('eventbus', 'topics', '--apply')"

    told = python(tmp_path, code)

    assert (told.returncode, told.stderr) == (0, "")
    assert "order.placed.v1" in told.stdout


@pytest.mark.parametrize(("name", "address"), [("DEMO", "0.0.0.0"), ("DEMO", "[::]"), ("DEBUG", "0.0.0.0")])
def test_a_server_with_open_doors_listens_to_this_machine_only(tmp_path: Path, name: str, address: str) -> None:
    environment = {"PATH": os.environ["PATH"], "VAR_DIR": str(tmp_path), name: "1"}
    line = [sys.executable, "manage.py", "runserver", "--noreload", f"{address}:8000"]

    told = subprocess.run(line, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=ENDED_SECONDS)

    assert told.returncode == 1
    assert f"{name}" in told.stderr
    assert "Listen at 127.0.0.1, or unset it" in told.stderr


@pytest.mark.parametrize(
    ("port", "more", "why"),
    [
        (0, [], "Address already in use"),
        (0, ["--noreload"], "Address already in use"),
        (99_999, ["--noreload"], "bind(): port must be 0-65535"),
    ],
)
def test_a_server_that_cannot_listen_says_so_and_ends(tmp_path: Path, port: int, more: list[str], why: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = port or held.getsockname()[1]
        told = runserver(tmp_path, f"127.0.0.1:{port}", *more)

    assert told.returncode == 1, told.stderr
    assert f"Port {port} of 127.0.0.1 is not free for the site: {why}.\n" in told.stderr
    assert re.search(r"Type: SITE_URL=http://127.0.0.1:(\d+) manage.py runserver 127.0.0.1:\1\n", told.stderr)
    assert "Traceback" not in told.stderr


@pytest.mark.parametrize(
    ("part", "setting", "more"),
    [("sandbox provider", "SANDBOX_PROVIDER_URL", []), ("simulator", "SIMULATOR_URL", ["--noreload"])],
)
def test_a_server_whose_stand_in_cannot_listen_says_so_and_ends(
    tmp_path: Path, part: str, setting: str, more: list[str]
) -> None:
    site, free = free_ports(2)
    others = {"SANDBOX_PROVIDER_URL": f"http://127.0.0.1:{free}", "SIMULATOR_URL": f"http://127.0.0.1:{free}"}
    with socket.create_server(("127.0.0.1", 0)) as held:
        taken = held.getsockname()[1]
        told = runserver(tmp_path, f"127.0.0.1:{site}", *more, **{**others, setting: f"http://127.0.0.1:{taken}"})

    assert told.returncode == 1, told.stderr
    assert f"Port {taken} of 127.0.0.1 is not free for the {part}: Address already in use.\n" in told.stderr
    assert re.search(rf"Type: {setting}=http://127.0.0.1:\d+ manage.py runserver 127.0.0.1:{site}\n", told.stderr)
    assert "Starting" not in told.stdout + told.stderr


def test_a_server_is_started_again_for_a_file_of_the_site_and_not_for_one_of_a_package() -> None:
    assert daphne_runserver.Command
    package, ours = (Path(module.__file__ or "").resolve() for module in (django, mcommerce))

    autoreload.BaseReloader().notify_file_changed(package)

    with pytest.raises(SystemExit) as ended:
        autoreload.BaseReloader().notify_file_changed(ours)
    assert ended.value.code == RELOAD


def runserver(folder: Path, address: str, *more: str, **environment: str) -> subprocess.CompletedProcess[str]:
    known = {"PATH": os.environ["PATH"], "VAR_DIR": str(folder), "DEMO": "1", **environment}
    line = [sys.executable, "manage.py", "runserver", address, *more]
    return subprocess.run(line, cwd=ROOT, env=known, capture_output=True, text=True, timeout=ENDED_SECONDS)


@pytest.mark.parametrize(
    ("command", "address", "remedy"),
    [
        ("eventbus status", "", "The database: not migrated: run manage.py migrate"),
        ("poll_stations", "", "The database: not migrated: run manage.py migrate"),
        (
            "eventbus status",
            "postgres://nobody@127.0.0.1:1/none",
            "The database: no answer: is it running, and is DATABASE_URL right?",
        ),
    ],
)
def test_a_command_that_the_database_refuses_says_what_to_do_and_no_more(
    tmp_path: Path, command: str, address: str, remedy: str
) -> None:
    more = {"DATABASE_URL": address} if address else {}
    environment = {"PATH": os.environ["PATH"], "VAR_DIR": str(tmp_path), **more}
    line = [sys.executable, "manage.py", *command.split()]

    told = subprocess.run(
        line, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=ENDED_SECONDS
    )

    assert (told.returncode, told.stdout) == (1, "")
    assert told.stderr.splitlines()[0] == remedy
    assert "Traceback (most recent" not in told.stderr


def test_a_file_that_is_no_database_is_named_as_what_is_wrong(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "VAR_DIR": str(tmp_path)}
    (tmp_path / "mcommerce.sqlite3").write_text("The accounts of last year. " * 100)
    line = [sys.executable, "manage.py", "migrate"]

    told = subprocess.run(line, cwd=ROOT, env=environment, capture_output=True, text=True)

    assert told.returncode == 1
    assert told.stderr.startswith(
        "The database: no answer: is it running, and is DATABASE_URL right?\nfile is not a database\n"
    )
    assert "Traceback" not in told.stderr


def test_a_fault_of_the_code_in_a_good_database_is_told_in_full(tmp_path: Path) -> None:
    code = (
        "import sys; from unittest import mock; import manage; from mcommerce.readiness import health_pages as health;"
        "from django.db import OperationalError as error; from django.core import management;"
        "management.execute_from_command_line = mock.Mock(side_effect=error('no such column')); {told}; manage.main()"
    )
    good = "health.database = lambda: health.OK"

    raised, remedied = (python(tmp_path, code.format(told=told)).stderr for told in (good, "pass"))

    assert raised.endswith("OperationalError: no such column\n")
    assert "Traceback" not in remedied


def test_a_command_that_is_interrupted_ends_at_once_and_says_nothing(tmp_path: Path) -> None:
    code = "print('begun', flush=True); input()"
    environment = {"PATH": os.environ["PATH"], "VAR_DIR": str(tmp_path)}
    command = [sys.executable, "manage.py", "shell", "--verbosity=0", "--command", code]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a run in the background is deaf to it
    ) as running:
        assert running.stdout and running.stdout.readline() == b"begun\n"
        running.send_signal(signal.SIGINT)
        _, complaint = running.communicate(timeout=ENDED_SECONDS)

    assert (running.returncode, complaint) == (130, b"")


def test_a_command_whose_reader_has_seen_enough_ends_and_says_nothing(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "VAR_DIR": str(tmp_path)}
    unread, end = os.pipe()
    os.close(unread)
    try:
        line = [sys.executable, "manage.py", "help"]
        told = subprocess.run(line, cwd=ROOT, env=environment, stdout=end, stderr=subprocess.PIPE, text=True)
    finally:
        os.close(end)

    assert (told.returncode, told.stderr) == (141, "")
