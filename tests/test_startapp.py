"""`manage.py startapp` makes an app that works at once: no other line names it, and all fences hold it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

pytestmark = pytest.mark.xdist_group("startapp")  # one process makes what they share

ROOT = Path(__file__).resolve().parent.parent
COPIED = ("mcommerce", "stations", "outside", "eventbus", "templates", "tests", "benchmarks", "docs", "locale")
FILES = ("manage.py", "pyproject.toml", "CONTRIBUTING.md", "README.md")
BIN = Path(sys.executable).parent
# The house's own tests that have something to say about a new app.
HOUSE = (
    "tests/test_architecture.py",
    "tests/test_terms.py",
    "tests/test_prose.py",
    "tests/mutants/test_mutants.py::test_each_part_names_modules_and_tests_that_exist[loyalty]",
    "tests/permissions/test_matrix.py::test_everything_has_a_row_in_the_table",
    "tests/permissions/test_matrix.py::test_every_route_lets_in_whom_its_row_names",
)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, with two new apps in it. The second has no page."""
    target = copy_project(tmp_path_factory.mktemp("project") / "shop-with-loyalty")
    manage(target, "startapp", "loyalty", "--french", "Fidélité")
    manage(target, "startapp", "alerts", "--without-page")
    return target


def test_the_new_app_is_installed_and_complete(tree: Path) -> None:
    manage(tree, "check", "--fail-level", "WARNING")
    manage(tree, "makemigrations", "--check", "--dry-run")
    python(tree, "-m", "pytest", "-q", "tests/mcommerce/loyalty")


@pytest.mark.sites
def test_the_house_finds_nothing_missing(tree: Path) -> None:
    python(tree, "-m", "pytest", "-q", "-x", *HOUSE)


def test_an_app_without_a_page_is_five_files(tree: Path) -> None:
    made = [path for path in (tree / "mcommerce" / "alerts").rglob("*.py") if path.read_text()]

    assert sorted(str(path.relative_to(tree / "mcommerce" / "alerts")) for path in made) == [
        "__init__.py",
        "apps.py",
        "handlers.py",
        "models.py",
        "services/__init__.py",
    ]
    assert not (tree / "templates" / "alerts").exists()


def test_the_tools_find_nothing_to_mend(tree: Path) -> None:
    pages = [str(page) for page in (tree / "templates" / "loyalty").glob("*.html")]
    mine = [f"{folder}/{app}" for folder in ("mcommerce", "tests/mcommerce") for app in ("loyalty", "alerts")]

    for command in (["check"], ["format", "--check"]):
        run(tree, str(BIN / "ruff"), *command, "mcommerce/settings.py", *mine)
    run(tree, str(BIN / "djade"), "--target-version", "5.2", "--check", *pages)
    python(tree, "-m", "tests.import_contracts", "--no-cache")


def test_pages_without_a_prefix_are_refused_with_the_line_to_write(tree: Path) -> None:
    file = tree / "mcommerce" / "loyalty" / "apps.py"
    written = file.read_text()
    file.write_text("\n".join(line for line in written.splitlines() if "url_prefix" not in line) + "\n")
    try:
        told = attempt(tree, sys.executable, "manage.py", "check")
    finally:
        file.write_text(written)

    assert told.returncode == 1
    assert 'Write url_prefix: ClassVar = "loyalty/" in LoyaltyConfig, in mcommerce/loyalty/apps.py.' in told.stderr


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("orders", "in use by the installed app mcommerce.orders, mcommerce/orders"),
        ("events", "in use by mcommerce/events.py"),
        ("admin", "in use by the installed app django.contrib.admin"),
        ("mfa", "in use by the installed app allauth.mfa"),
        ("checkout", "in use by the address /checkout/"),
        ("wish-list", "is no name for an app"),
        ("class", "is no name for an app"),
        ("Wishes", "is no name for an app"),
    ],
)
def test_a_name_that_is_none_or_is_taken_is_refused(name: str, said: str) -> None:
    with pytest.raises(CommandError, match=said.replace("/", "[/]")):
        call_command("startapp", name)


def test_a_dry_run_tells_all_and_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("startapp", "wishes", dry_run=True)
    told = capsys.readouterr().out

    assert "new file: mcommerce/wishes/handlers.py" in told
    assert 'new line in mcommerce/settings.py: "mcommerce.wishes",' in told
    assert not (ROOT / "mcommerce" / "wishes").exists()
    assert "wishes" not in (ROOT / "mcommerce" / "settings.py").read_text()


# --- how it is tried -----------------------------------------------------------------------------------------------


def copy_project(target: Path) -> Path:
    for name in COPIED:
        if (ROOT / name).exists():
            shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(ROOT / name, target)
    return target


def manage(folder: Path, *arguments: str) -> None:
    python(folder, "manage.py", *arguments)


def python(folder: Path, *arguments: str) -> None:
    run(folder, sys.executable, *arguments)


def run(folder: Path, *command: str) -> None:
    done = attempt(folder, *command)
    assert done.returncode == 0, done.stdout[-6_000:] + done.stderr[-3_000:]


def attempt(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"VAR_DIR": str(folder / "var"), "NO_COLOR": "1", "COLUMNS": "1000"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
