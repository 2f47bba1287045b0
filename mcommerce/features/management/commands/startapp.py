"""`manage.py startapp`: make a new feature of the shop, with its tests, and install it."""

import re
from argparse import ArgumentParser
from collections.abc import Iterator
from keyword import iskeyword
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management.base import CommandError
from django.core.management.templates import TemplateCommand
from django.urls import Resolver404, resolve

from mcommerce.features.source_lines import MissingPlace, NewLines, installed_app, package_rows

TEMPLATE, PAGE_TEMPLATE = (Path(__file__).resolve().parents[2] / name for name in ("app_template", "page_template"))
FOLDERS = ("mcommerce", "tests/mcommerce", "templates")  # in each the new app gets a folder of its name
RENDERED = ["py", "po", "html"]
PAGE_NEXT = """\
What is there works: run .venv/bin/python -m pytest tests/mcommerce/{name}, then make run, and look at /{prefix}/.
"""
NEXT = """\
Now fill it in, as docs/tutorial.md shows:
  - its duty, in a sentence: in mcommerce/{name}/__init__.py, and the same in docs/rooms.md
  - its tables: in mcommerce/{name}/models.py; then run manage.py makemigrations {name}
  - the events that it publishes: in mcommerce/events.py, where all events of the shop are declared; then run
    make reference contract
  - the events that it handles: in mcommerce/{name}/handlers.py
  - the French of each text: in mcommerce/{name}/locale/; there {title!r} is {french!r}
Nothing else has a list of apps. A test that misses something names the file and the line to write.
"""


class Command(TemplateCommand):
    help = (
        "Make a new app of the shop: mcommerce/NAME with its parts, tests/mcommerce/NAME with a test that passes, and "
        "templates/NAME with a page. Add it to INSTALLED_APPS and to docs/rooms.md. An app that only handles events "
        "needs no page: --without-page."
    )
    rewrite_template_suffixes = tuple((f".{ending}-tpl", f".{ending}") for ending in RENDERED)

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name", help="a Python identifier in small letters, such as loyalty")
        parser.add_argument("--title", help="its title on pages and in the admin (default: the name)")
        parser.add_argument("--french", help="the title in French (default: the English one)")
        parser.add_argument(
            "--without-page", action="store_true", help="make no page, address, admin, slots, template or test"
        )
        parser.add_argument("--dry-run", action="store_true", help="print what would be written, and write nothing")

    def handle(self, name: str, *, dry_run: bool, verbosity: int = 1, **options: Any) -> None:  # type: ignore[override]
        root, prefix = Path(settings.BASE_DIR), name.replace("_", "-")
        _refuse(name, prefix, root)
        title = options["title"] or name.replace("_", " ").capitalize()
        french = options["french"] or title
        if unfit := re.search(r"""["\\{}%<>|\n]""", title + french):
            raise CommandError(f"A title cannot contain {unfit[0]!r}: it is written into code, pages and a catalogue.")
        words = {"name": name, "prefix": prefix, "title": title, "french": french}
        page = not options["without_page"]
        templates = [TEMPLATE, PAGE_TEMPLATE] if page else [TEMPLATE]
        try:
            lines = [installed_app(root, name), package_rows(root, name, title)]
        except MissingPlace as missing:
            raise CommandError(str(missing)) from None
        if not dry_run:
            for template in templates:
                super().handle("app", target=str(root), **_given(template, verbosity), page=page, **words)
            for line in lines:
                line.write()
        self.stdout.write("Nothing is written. Without --dry-run there would be:" if dry_run else f"Made {name}:")
        self.stdout.write("\n".join(_report(root, name, lines, templates)))
        if not dry_run:
            self.stdout.write((PAGE_NEXT * page + NEXT).format(**words))

    def validate_name(self, name: str, name_or_dir: str = "name") -> None:
        """Accept what `_refuse` let pass. Django's own check imports the name of the project's folder."""


def _given(template: Path, verbosity: int) -> dict[str, Any]:
    """Return the options of Django's command that copies a template."""
    return {"template": str(template), "extensions": RENDERED, "files": [], "verbosity": verbosity}


def _refuse(name: str, prefix: str, root: Path) -> None:
    """Raise CommandError if the name is not valid for an app, or if something on this site has it."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or iskeyword(name):
        raise CommandError(f"{name!r} is no name for an app: write a Python identifier in small letters, as loyalty.")
    taken = [f"the installed app {config.name}" for config in apps.get_app_configs() if config.label == name]
    places = [root / folder / name for folder in FOLDERS] + [root / "mcommerce" / f"{name}.py"]
    taken += [str(place.relative_to(root)) for place in places if place.exists()]
    if _answers(f"/{prefix}/"):
        taken.append(f"the address /{prefix}/")
    if taken:
        raise CommandError(f"{name!r} is in use by {', '.join(taken)}: choose another name.")


def _answers(address: str) -> bool:
    try:
        return bool(resolve(address))
    except Resolver404:
        return False


def _report(root: Path, name: str, lines: list[NewLines], templates: list[Path]) -> Iterator[str]:
    """Yield a line for each new file and each added line."""
    places = [str(place.relative_to(template)) for template in templates for place in template.rglob("*-tpl")]
    for path in sorted(places):
        yield f"  new file: {path.removesuffix('-tpl').replace('app_name', name)}"
    for new in lines:
        for line in new.text.splitlines():
            yield f"  new line in {new.file.relative_to(root)}: {line.strip()}"
