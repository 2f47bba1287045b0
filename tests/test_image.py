"""The container image cannot be built here; what it says must at least be true of this tree."""

import ast
import os
import re
import runpy
import shlex
import shutil
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from django.core.management import get_commands

pytestmark = pytest.mark.sites

ROOT = Path(__file__).resolve().parent.parent
DOCKERFILE = (ROOT / "Dockerfile").read_text()
ENTRYPOINT = runpy.run_path(str(ROOT / "docker-entrypoint"))
ROLES: dict[str, list[str]] = ENTRYPOINT["ROLES"]


@pytest.mark.parametrize("role", ROLES)
def test_the_command_of_each_role_exists(role: str) -> None:
    program, *arguments = ROLES[role]

    if program == "python":
        assert (ROOT / arguments[0]).is_file()
        assert set(arguments[1:]) <= set(get_commands())
    else:
        assert Path(sys.executable).with_name(program).is_file(), f"{program} is not among the requirements"
        module, attribute = arguments[0].split(":")
        spec = find_spec(module)
        assert spec and spec.origin
        assert attribute in names_in(Path(spec.origin))


def test_an_unknown_role_is_refused_with_the_known_ones() -> None:
    with pytest.raises(SystemExit, match="No role 'bees': one of pages, live"):
        ENTRYPOINT["main"](["bees"])


@pytest.mark.parametrize("role", ["pages", "live", "all"])
@pytest.mark.parametrize("name", ["DEMO", "DEBUG"])
def test_what_opens_doors_at_home_is_refused_where_a_container_listens(
    role: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loopback hosts are no protection there: whoever reaches the port may write `Host: localhost`."""
    monkeypatch.setattr(os, "execvp", lambda *command: pytest.fail(f"started {command}"))
    monkeypatch.setenv(name, "1")

    with pytest.raises(SystemExit, match=f"{name} opens doors .* role {role} listens to others at 0.0.0.0: unset it"):
        ENTRYPOINT["main"]([role])


@pytest.mark.parametrize(
    "command",
    [
        ["all", "--host=0.0.0.0"],
        ["live", "--host", "0.0.0.0"],
        ["pages", "--bind=0.0.0.0:8000"],
        ["pages", "--bin=0.0.0.0:8000"],
        ["pages", "-b0.0.0.0:8000"],
        ["pages", "-Rb", "0.0.0.0:8000"],
        ["pages", "--config=listens_everywhere.py"],
    ],
)
@pytest.mark.parametrize("name", ["DEMO", "DEBUG"])
def test_what_opens_doors_at_home_stays_on_loopback_whatever_follows_the_role(
    command: list[str], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "execvp", lambda *command: pytest.fail(f"started {command}"))
    monkeypatch.setitem(ENTRYPOINT["main"].__globals__, "LISTEN_HOST", "127.0.0.1")
    monkeypatch.setenv(name, "1")

    with pytest.raises(SystemExit, match=f"{name} opens doors .* {command[1]}.* leave that out, or unset {name}"):
        ENTRYPOINT["main"](command)


@pytest.mark.parametrize("role", ["pages", "live", "all"])
def test_a_role_that_is_told_no_more_listens_only_where_it_says(role: str) -> None:
    """Its own arguments outrank gunicorn's and uvicorn's environment."""
    code = """
import os, sys
command = sys.argv[1:]
if command[0] == "gunicorn":
    from gunicorn.app.wsgiapp import WSGIApplication
    sys.argv = command
    settings = WSGIApplication().cfg
    print(settings.bind, "no control socket" if settings.control_socket_disable else "a control socket")
else:
    from uvicorn.main import main
    print(main.make_context("uvicorn", command[1:], **main.context_settings).params["host"])
"""
    elsewhere = {"GUNICORN_CMD_ARGS": "--bind=0.0.0.0:9", "UVICORN_HOST": "0.0.0.0"}
    command = [word.replace("0.0.0.0", "127.0.0.7") for word in ROLES[role]]

    told = subprocess.run(
        [sys.executable, "-c", code, *command], env=elsewhere, cwd=ROOT, text=True, capture_output=True, check=False
    )

    assert "127.0.0.7" in told.stdout, told.stderr
    assert "0.0.0.0" not in told.stdout
    assert "a control socket" not in told.stdout, "whoever can open it can stop gunicorn"


def test_a_container_with_its_demo_switched_off_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[str] = []
    monkeypatch.setattr(os, "execvp", lambda program, command: started.append(program))
    monkeypatch.setenv("DEMO", "False")

    ENTRYPOINT["main"]([])

    assert started == ["uvicorn"]


@pytest.mark.parametrize("role", ["pages", "all"])
def test_a_server_with_a_handler_that_nothing_registers_does_not_start(role: str, tmp_path: Path) -> None:
    """Its events would be lost on the handler in silence."""
    (tmp_path / "loyalty").mkdir()
    (tmp_path / "loyalty" / "__init__.py").touch()
    (tmp_path / "loyalty" / "points.py").write_text(
        "from eventbus import handles\nfrom mcommerce.events import OrderPaid\n\n\n"
        "@handles(OrderPaid, group='loyalty')\ndef grant_points(event): ...\n"
    )
    (tmp_path / "loyal_site.py").write_text(
        "from mcommerce.settings import *\nfrom pathlib import Path\n"
        f"BASE_DIR = Path({str(tmp_path)!r})\nINSTALLED_APPS = [*INSTALLED_APPS, 'loyalty']\n"
    )
    environment = {"VAR_DIR": str(tmp_path / "var"), "PYTHONPATH": str(tmp_path), "PATH": "", "PORT": "9"}
    environment |= {"DJANGO_SETTINGS_MODULE": "loyal_site", "LISTEN_HOST": "127.0.0.1"}

    ended = subprocess.run(
        [sys.executable, "docker-entrypoint", role], cwd=ROOT, env=environment, text=True, capture_output=True
    )

    assert ended.returncode == 1
    assert "loyalty/points.py:5: nothing imports loyalty.points at start" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_image_runs_as_nobody_special_and_says_how_it_is() -> None:
    last_stage = DOCKERFILE.rpartition("\nFROM ")[2]

    assert re.search(r"^USER mcommerce$", last_stage, re.MULTILINE)
    assert re.search(r"^HEALTHCHECK .*\"healthy\"\]$", last_stage, re.MULTILINE)


@pytest.mark.parametrize("role", ["relay", "handle", "poll"])
def test_a_process_without_a_door_is_well_while_it_says_that_it_lives(
    role: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive = tmp_path / "alive"
    monkeypatch.setenv("EVENTBUS_LIVENESS_FILE", str(alive))

    assert "not said yet" in health(role)
    alive.touch()
    assert health(role) == 0
    os.utime(alive, (0, 0))
    assert re.search(r"\d+ s ago", health(role))
    assert re.search(r"^ENV .*EVENTBUS_LIVENESS_FILE=/", DOCKERFILE, re.MULTILINE)


def test_a_server_is_well_while_it_answers_and_another_while_it_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = str(listening.getsockname()[1])
        assert health("manage", port) == 0

    assert "refused" in health("manage", port)
    monkeypatch.setitem(ENTRYPOINT["health"].__globals__, "DOOR", port)
    assert "refused" in health("pages")


def health(role: str, *door: str) -> Any:
    return ENTRYPOINT["health"](b"\0".join(word.encode() for word in ROLES[role]), *door)


def test_every_role_the_image_names_can_be_played() -> None:
    named = re.search(r"the command picks it: ([a-z, ]+)", DOCKERFILE)
    default = re.search(r'^CMD \["(\w+)"\]$', DOCKERFILE, re.MULTILINE)

    assert named and named[1].strip().split(", ") == list(ROLES)
    assert default and default[1] in ROLES


def test_what_the_image_copies_is_there_and_tests_stay_outside() -> None:
    ignored = (ROOT / ".dockerignore").read_text().split()
    copied = [shlex.split(line)[1:-1] for line in DOCKERFILE.splitlines() if line.startswith("COPY ")]

    assert all((ROOT / name).exists() and name not in ignored for names in copied for name in names)
    assert {"tests", ".venv", "var", ".git"} <= set(ignored)


@pytest.mark.containers
def test_static_files_are_collected_as_the_image_collects_them(tmp_path: Path) -> None:
    line = re.search(r"^RUN ((?:.*\\\n)*.*manage\.py collectstatic --noinput)", DOCKERFILE, re.MULTILINE)
    assert line
    tree = shutil.copytree(ROOT, tmp_path / "tree", ignore=shutil.ignore_patterns(".*", "var", "tests", "staticfiles"))
    command = line[1].replace("python ", f"{shlex.quote(sys.executable)} ").replace("/tmp/build", f"{tmp_path}/var")

    done = subprocess.run(command, shell=True, cwd=tree, text=True, capture_output=True, env={"PATH": os.defpath})

    assert done.returncode == 0, done.stderr
    assert (tree / "staticfiles" / "staticfiles.json").is_file()


def names_in(path: Path) -> set[str]:
    """Names a module assigns, without importing it: an ASGI application starts threads."""
    tree = ast.parse(path.read_text())
    targets = [target for node in tree.body if isinstance(node, ast.Assign) for target in node.targets]
    return {target.id for target in targets if isinstance(target, ast.Name)}
