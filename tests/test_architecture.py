"""The house keeps its shape: who may know whom, how long files get, what pages may contain, and the French of it."""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import polib
import pytest
from django.apps import apps
from django.conf import settings
from django.db import models
from django.test.utils import isolate_apps

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("mcommerce", "stations", "outside", "eventbus")
TOP_LEVEL = {*PACKAGES, "tests", "benchmarks", "manage.py"}
NOT_SOURCE = {"var", "staticfiles", "screenshots", "build", "dist"}
FILE_LINES_MAX = 300
TEST_FILE_LINES_MAX = 800  # a theme of the contract of the bus is one story
FUNCTION_LINES_MAX = 35
TEST_LINES_MAX = 40

# What is longer on purpose, and why. `path` for a file, `path::function` for a function.
LONGER: dict[str, str] = {
    "mcommerce/events.py": "the shop's whole published language, read from top to bottom by whoever writes to it",
    "mcommerce/settings.py": "the only reader of the environment, a line for each variable",
}

INLINE = re.compile(
    r"""\sstyle\s*=|<style\b|<[a-z][^>]*\son[a-z]+\s*=|<script\b(?![^>]*\b(?:src=|type="application/(?:ld\+)?json"))""",
    re.IGNORECASE,
)


def test_no_relation_crosses_the_border_of_an_app() -> None:
    assert list(border_crossings(apps.get_models(include_auto_created=True))) == []


@isolate_apps("mcommerce.orders", "mcommerce.products")
def test_a_relation_across_the_border_is_caught() -> None:
    class Shelf(models.Model):  # noqa: DJ008
        class Meta:
            app_label = "products"

    class Wish(models.Model):  # noqa: DJ008
        shelf = models.ForeignKey(Shelf, on_delete=models.CASCADE)

        class Meta:
            app_label = "orders"

    assert list(border_crossings([Shelf, Wish])) == ["orders.Wish.shelf -> products.Shelf"]


def test_there_is_no_further_top_level_package() -> None:
    assert top_level(ROOT) <= TOP_LEVEL


def test_files_and_functions_stay_short() -> None:
    found = {name: lines for path in sources("*.py") for name, lines in too_long(path)}

    assert {name: lines for name, lines in found.items() if name not in LONGER} == {}
    assert [name for name in LONGER if name not in found] == [], "these are short again"


@pytest.mark.parametrize("path", sorted(ROOT.glob("[a-z]*/**/*.po")), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_text_of_a_catalogue_is_translated(path: Path) -> None:
    catalogue = polib.pofile(str(path))

    assert [entry.msgid for entry in catalogue.untranslated_entries() + catalogue.fuzzy_entries()] == []


def test_every_text_of_the_pages_is_in_a_catalogue(tmp_path: Path) -> None:
    if not shutil.which("xgettext"):
        (pytest.fail if os.environ.get("CI") else pytest.skip)("xgettext is missing (Debian: apt install gettext)")
    tree = copy_sources(tmp_path / "tree")
    (tree / "locale").mkdir()
    command = [sys.executable, "-m", "django", "makemessages", "--locale=fr", "--verbosity=0"]
    subprocess.run(command, cwd=tree, check=True, env={**os.environ, "DJANGO_SETTINGS_MODULE": ""})
    wanted = polib.pofile(str(tree / "locale/fr/LC_MESSAGES/django.po"))

    known = {identity(entry) for path in catalogues() for entry in polib.pofile(str(path)).translated_entries()}

    assert [(entry.msgid, entry.occurrences) for entry in wanted if identity(entry) not in known] == []


@pytest.mark.parametrize("path", sorted(ROOT.glob("[a-z]*/**/*.html")), ids=lambda path: str(path.relative_to(ROOT)))
def test_pages_have_no_inline_style_or_script(path: Path) -> None:
    assert INLINE.findall(path.read_text()) == []


# --- how it is found out -------------------------------------------------------------------------------------------


def copy_sources(target: Path) -> Path:
    for name in (*PACKAGES, "templates"):
        shutil.copytree(ROOT / name, target / name, ignore=shutil.ignore_patterns("__pycache__", "static", "locale"))
    shutil.copy(ROOT / "pyproject.toml", target)
    return target


def border_crossings(all_models: Iterable[type[models.Model]]) -> Iterator[str]:
    """Relations from one of our apps into another of ours."""
    ours = {config.label for config in apps.get_app_configs() if config.name.split(".")[0] in PACKAGES}
    for model in all_models:
        for field in model._meta.get_fields():
            other = field.related_model
            if field.auto_created or not isinstance(other, type) or model._meta.app_label not in ours:
                continue
            if other._meta.app_label in ours - {model._meta.app_label}:
                yield f"{model._meta.label}.{field.name} -> {other._meta.label}"


def top_level(root: Path) -> set[str]:
    """Names at the root that Python could import."""
    visible = [path for path in root.iterdir() if not path.name.startswith(".") and path.name not in NOT_SOURCE]
    return {path.name for path in visible if path.suffix == ".py" or path.is_dir() and any(path.rglob("*.py"))}


def sources(pattern: str) -> Iterator[Path]:
    for name in TOP_LEVEL:
        path = ROOT / name
        yield from path.rglob(pattern) if path.is_dir() else [path]


def too_long(path: Path) -> Iterator[tuple[str, int]]:
    """Names and lengths of what passes the limits; migrations are written by Django."""
    if "migrations" in path.parts:
        return
    name, text = str(path.relative_to(ROOT)), path.read_text()
    of_tests = name.startswith(("tests/", "benchmarks/"))
    if (lines := text.count("\n")) > (TEST_FILE_LINES_MAX if of_tests else FILE_LINES_MAX):
        yield name, lines
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > (TEST_LINES_MAX if of_tests else FUNCTION_LINES_MAX):
                yield f"{name}::{node.name}", lines


def catalogues() -> Iterator[Path]:
    """Ours, and Django's own: what the admin says already, nobody translates again."""
    yield from ROOT.glob("[a-z]*/**/fr/LC_MESSAGES/django.po")
    django = Path(sys.modules["django"].__file__ or "").parent
    yield django / "conf/locale/fr/LC_MESSAGES/django.po"
    for app in settings.INSTALLED_APPS:
        if app.startswith("django.contrib."):
            yield from (django / "/".join(app.split(".")[1:3])).glob("locale/fr/LC_MESSAGES/django.po")


def identity(entry: polib.POEntry) -> tuple[str, str, str]:
    return entry.msgctxt or "", entry.msgid, entry.msgid_plural
