"""A developer puts a handler where nothing would register it, and is told where it belongs."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from eventbus.checks.declarations import check_handler_places
from eventbus.checks.handler_places import Misplaced, misplaced
from tests.free_ports import free_ports
from tests.test_settings import ROOT

HANDLER = """from eventbus import handles
from mcommerce.events import OrderPaid


@handles(OrderPaid, group="loyalty")
def grant_points(event: OrderPaid) -> None:
    pass
"""
INSIDE = """from eventbus import effect
from mcommerce.events import OrderPaid


def declare():
    @effect(OrderPaid, group="loyalty", on_unknown_outcome="never")
    def mail_points(event: OrderPaid, *, idempotency_key: str) -> None:
        pass
"""


def found(base: Path, files: dict[str, str], *, apps: tuple[str, ...] = (), started: tuple[str, ...] = ()) -> list[str]:
    """What is said of a project with these files."""
    return [f"{one.what}. {one.remedy}" for one in found_in(base, files, apps=apps, started=started)]


def found_in(base: Path, files: dict[str, str], *, apps: tuple[str, ...], started: tuple[str, ...]) -> list[Misplaced]:
    write(base, files)
    folders = {app: base / app.replace(".", "/") for app in apps}
    return list(misplaced(base, folders, [str(base / name) for name in started]))


def write(base: Path, files: dict[str, str]) -> None:
    """Write the files, and make each folder that holds one a package."""
    for name, text in files.items():
        path = base / name
        path.parent.mkdir(parents=True, exist_ok=True)
        for folder in [path.parent, *path.parent.parents]:
            if folder != base and base in folder.parents:
                (folder / "__init__.py").touch()
        path.write_text(text)


def test_every_handler_of_this_site_is_registered() -> None:
    assert check_handler_places() == []


@pytest.mark.parametrize(
    "text",
    [
        HANDLER,
        HANDLER.replace("import handles", "import handles as on").replace("@handles", "@on"),
        HANDLER.replace("from eventbus import handles", "import eventbus").replace("@handles", "@eventbus.handles"),
        HANDLER.replace("from eventbus import", "from eventbus.registry import"),
        HANDLER.replace("import handles", "import registry").replace("@handles", "@registry.handles"),
        "from eventbus import handles\n\n\n\nhandles(OrderPaid, group='loyalty')(print)\n",
    ],
)
def test_a_handler_in_a_module_that_nothing_imports_is_found(tmp_path: Path, text: str) -> None:
    [said] = found(tmp_path, {"shop/loyalty/points.py": text}, apps=("shop.loyalty",))

    assert said == (
        "shop/loyalty/points.py:5: nothing imports shop.loyalty.points at start, so its @handles is not registered. "
        "Move the handler to shop.loyalty.handlers, which is imported at start, or import shop.loyalty.points there"
    )


def test_a_handler_inside_a_function_is_found(tmp_path: Path) -> None:
    [said] = found(tmp_path, {"loyalty/handlers.py": INSIDE}, apps=("loyalty",), started=("loyalty/handlers.py",))

    assert said == (
        "loyalty/handlers.py:6: @effect stands inside a function, so it is registered only if that is called. "
        "Declare the handler at the top level of loyalty/handlers.py"
    )


def test_an_app_with_handlers_that_is_not_installed_is_found_once(tmp_path: Path) -> None:
    [said] = found(tmp_path, {"shop/loyalty/handlers.py": f"{HANDLER}\n\n{HANDLER}"}, apps=("other",))

    assert said == (
        "shop/loyalty/handlers.py:5: shop.loyalty is not installed, so its handlers are not registered. "
        'Add "shop.loyalty" to INSTALLED_APPS. A site that leaves it out on purpose names it in EVENTBUS["LEFT_OUT"]'
    )


def test_a_site_that_leaves_an_app_out_is_warned_and_starts(tmp_path: Path, settings: Any) -> None:
    write(tmp_path, {"shop/loyalty/handlers.py": HANDLER})
    settings.BASE_DIR = tmp_path

    assert [one.id for one in check_handler_places()] == ["eventbus.W002"]


@pytest.mark.parametrize(
    "text",
    [
        "from eventbus import watches\n\nwatch = watches(OrderPaid, call=print)\n",
        "from eventbus import watches\n\n@watches(OrderPaid)\ndef show(events): ...\n",
    ],
)
def test_a_watch_that_begins_at_import_is_found(tmp_path: Path, text: str) -> None:
    [said] = found(tmp_path, {"loyalty/live.py": text}, apps=("loyalty",), started=("loyalty/live.py",))

    assert said.startswith("loyalty/live.py:3: watches stands where it would begin at import, or as a decorator. Call")


@pytest.mark.parametrize("place", ["tests/loyalty/handlers.py", ".venv/loyalty/handlers.py", "loyalty/tests/points.py"])
def test_tests_and_the_packages_of_others_are_not_read(tmp_path: Path, place: str) -> None:
    assert found(tmp_path, {place: HANDLER}, apps=("loyalty", "tests.loyalty")) == []


def test_the_command_line_names_file_and_line(tmp_path: Path) -> None:
    """A site with an app of its own beside this one's: its handler is in no handlers.py."""
    (tmp_path / "loyalty").mkdir()
    (tmp_path / "loyalty" / "__init__.py").touch()
    (tmp_path / "loyalty" / "points.py").write_text(HANDLER)
    (tmp_path / "loyal_site.py").write_text(
        "from mcommerce.settings import *\n"
        "from pathlib import Path\n"
        f"BASE_DIR = Path({str(tmp_path)!r})\n"
        "INSTALLED_APPS = [*INSTALLED_APPS, 'loyalty']\n"
    )
    ports = dict(zip(("SANDBOX_PROVIDER_URL", "SIMULATOR_URL"), free_ports(2), strict=True))
    environment = {"VAR_DIR": str(tmp_path / "var"), "PYTHONPATH": str(tmp_path), "PATH": ""}
    environment |= {setting: f"http://127.0.0.1:{port}" for setting, port in ports.items()}

    ended = subprocess.run(
        [sys.executable, "manage.py", "check", "--settings=loyal_site"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert ended.returncode != 0
    assert "loyalty/points.py:5: nothing imports loyalty.points at start" in ended.stderr
    assert "Move the handler to loyalty.handlers" in ended.stderr
