"""The README's commands are typed by somebody who has just cloned the project, and do what it says."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.error import HTTPError

import pytest

from mcommerce.daphne.free_ports import obstacle
from tests.chaos.waiting import until
from tests.free_ports import free_ports
from tests.kafka.__main__ import ANSWERS
from tests.reference.tables import ROOT
from tests.test_startapp import copy_project

README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)
RUN, REAL_STATIONS, WITHOUT_MAKE, TARGETS = BLOCKS
[OTHER_PORTS] = re.findall(r"`(SITE_URL=[^`]+)`", README)
[OVER_KAFKA] = re.findall(r"`(EVENTBUS_BACKEND=kafka [^`]+)`", README)
# What make does is not to install packages: the tests have installed them.
MAKE = f"make --assume-old=install --assume-old=install-dev VENV={sys.prefix}"
DEADLINE_SECONDS = 180  # to make a database and to start a site on a loaded two-core machine
LOOK_SECONDS = 0.2
ENVIRONMENT = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
# Says which feeds a site has that is started in its environment.
FEEDS = """
from django.conf import settings
from stations.feeds.registry import is_simulated
print(settings.STATIONS_FEEDS, settings.JCDECAUX_API_KEY, *map(is_simulated, settings.STATIONS_FEEDS))
"""


# --- sites that are run ----------------------------------------------------------------------------------------------


@contextmanager
def typed(code: str, folder: Path, log: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """The lines, typed into a terminal. Whatever runs there at the end is killed."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            ["sh", "-ec", code],
            cwd=folder,
            env=ENVIRONMENT | environment,
            stdout=file,
            stderr=file,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # Ctrl-C, also for a job in the background
        )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):  # none is left
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def served(url: str, process: subprocess.Popen[bytes], log: Path) -> str:
    """The page, once it is there."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=DEADLINE_SECONDS) as page:
                return str(page.read().decode())
        except HTTPError:
            raise
        except OSError:
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()[-3_000:]
        time.sleep(LOOK_SECONDS)


def left_over(group: int, ports: Iterable[int]) -> list[str]:
    """Sentences about what a terminal still runs, and about its ports where nothing else can listen."""
    listed = subprocess.run(
        ["ps", "-Aww", "-o", "pgid=,stat=,args="], capture_output=True, text=True, check=True
    ).stdout
    found = [line.split(maxsplit=2) for line in listed.splitlines()]
    running = [f"still runs: {' '.join(words)}" for of, state, *words in found if of == str(group) and state[0] != "Z"]
    taken = [(port, obstacle("127.0.0.1", port)) for port in ports]
    return running + [f"port {port}: {why}" for port, why in taken if why]


def visit(ports: list[int], process: subprocess.Popen[bytes], log: Path) -> None:
    """Look at all that the README promises, then type Ctrl-C: nothing is left."""
    site, provider, simulator = ports
    url = f"http://127.0.0.1:{site}"
    assert "/products/" in served(f"{url}/", process, log), "a demo catalogue"
    for path in ("/cart/", "/stations/", "/admin/"):
        assert "<html" in served(f"{url}{path}", process, log)
    with pytest.raises(HTTPError, match="404"):  # the payment page answers, and has nothing here
        served(f"http://127.0.0.1:{provider}/nothing", process, log)
    assert obstacle("127.0.0.1", simulator), "the station simulation listens"
    assert re.search(r"password", log.read_text(), re.IGNORECASE), "the login of the admin is printed"

    os.killpg(process.pid, signal.SIGINT)
    process.wait(DEADLINE_SECONDS)
    assert until(lambda: not left_over(process.pid, ports), DEADLINE_SECONDS), left_over(process.pid, ports)


def test_make_run_serves_the_shop_and_the_stations_until_ctrl_c(tmp_path: Path) -> None:
    ports = free_ports(3)
    code = RUN.replace("make run", f"{MAKE} run PORT={ports[0]}")
    log = tmp_path / "log"

    with typed(code, ROOT, log, {"VAR_DIR": str(tmp_path)}) as process:
        visit(ports, process, log)

    assert (tmp_path / "mcommerce.sqlite3").exists(), "the data stays"


@pytest.mark.sites
def test_without_make_the_typed_lines_serve_them_too(tmp_path: Path) -> None:
    """Word for word, at other ports, as the page says below. The packages are those of the tests."""
    clone = copy_project(tmp_path / "clone")
    shutil.copy(ROOT / "requirements.txt", clone)
    taken = free_ports(3)
    ports = dict(zip(("8010", "8011", "8012"), map(str, taken), strict=True))
    *lines, last = WITHOUT_MAKE.splitlines()
    code = "\n".join([*lines, re.sub("801[0-2]", lambda found: ports[found[0]], f"{OTHER_PORTS} {last} 8010")])
    log = tmp_path / "log"

    given = {"PATH": f"{python_with_our_packages(tmp_path)}:{ENVIRONMENT['PATH']}", "PIP_NO_INDEX": "1"}
    with typed(code, clone, log, given) as process:
        visit(taken, process, log)

    assert (clone / "var/mcommerce.sqlite3").exists(), "the data stays in var/"
    assert "`runserver 8010`" in README


def python_with_our_packages(folder: Path) -> Path:
    """Where a `python3` is whose environments have the packages already, so that pip fetches none."""
    [ours] = [path for path in sys.path if path.startswith(sys.prefix) and path.endswith("site-packages")]
    script = folder / "bin" / "python3"
    script.parent.mkdir()
    script.write_text(f"""#!/bin/sh -e
{Path(sys.executable).resolve()} "$@"
for packages in .venv/lib/python3*/site-packages; do echo {ours} > $packages/ours.pth; done
""")
    script.chmod(0o755)
    return script.parent


# --- sites that are not run ------------------------------------------------------------------------------------------


def test_with_a_key_the_site_has_the_real_stations(tmp_path: Path) -> None:
    """`make` stands for a program that says what a site would do: this test asks nobody outside."""
    stand_in = tmp_path / "make"
    stand_in.write_text(
        f"#!/bin/sh\n[ $1 = run ] && exec {sys.executable} manage.py shell --verbosity=0 -c '{FEEDS}'\n"
    )
    stand_in.chmod(0o755)

    told = said(REAL_STATIONS, PATH=f"{tmp_path}:{ENVIRONMENT['PATH']}", VAR_DIR=str(tmp_path), DEMO="1")

    assert told.strip() == "['jcdecaux'] your-key False"


@pytest.mark.parametrize(
    ("target", "begins"),
    [
        ("test", "pytest"),
        ("test-all", 'pytest -m ""'),
        ("lint", "ruff check ."),
        ("kafka", "-m tests.kafka --brokers 1 --port 9092"),
        ("bench", "-m benchmarks"),
        ("screenshots", "-m tests.browser.screenshots"),
    ],
)
def test_make_knows_each_target_and_would_begin_this(target: str, begins: str) -> None:
    [line] = [line for line in TARGETS.splitlines() if line.startswith(f"make {target} ")]

    assert re.search(begins, said(line.replace("make", f"{MAKE} --dry-run", 1)))


def test_the_line_for_kafka_is_the_one_that_make_kafka_prints() -> None:
    assert OVER_KAFKA in ANSWERS.format(version="", logs="", servers="127.0.0.1:9092", copies="")


def said(code: str, **environment: str) -> str:
    done = subprocess.run(["sh", "-ec", code], cwd=ROOT, env=ENVIRONMENT | environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout
