"""The project's own scripts and style sheets without comments and blanks, for a deployed site.

The names in them stay as they are, so an error that a visitor reports can be found in the source.
"""

import re
from pathlib import Path
from typing import Any

import rcssmin
import rjsmin
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import Storage

OF_OTHERS = {"site-packages", "vendor"}  # folders of what others wrote, which comes as they ship it
TEMPLATE = re.compile(r"`(?:[^`\\]|\\.)*`")
FILLED = re.compile(r"\$?\{[^{}]*\}")


class NestedTemplate(ValueError):
    """A script has a template literal inside another one, in which the minifier would take texts for code."""


def minified_script(script: str) -> str:
    """Return a script without comments and needless blanks. Raises NestedTemplate."""
    short: str = rjsmin.jsmin(script)
    for template in TEMPLATE.findall(short):
        if _is_cut(template):
            raise NestedTemplate(f"{template[:60]} has a template in a template: give the inner one a name first")
    return short


def _is_cut(template: str) -> bool:
    """Return True if a template ends inside one of its places: there another one began."""
    filled = 1
    while filled:
        template, filled = FILLED.subn("", template)
    return "${" in template


def minified_sheet(sheet: str) -> str:
    """Return a style sheet without comments and needless blanks."""
    short: str = rcssmin.cssmin(sheet)
    return short


MINIFIERS = {".js": minified_script, ".css": minified_sheet}


def is_ours(storage: Any, path: str) -> bool:
    """Return True for a script or sheet that was written for this project."""
    whole = Path(storage.path(path))
    inside = whole.is_relative_to(settings.BASE_DIR)
    return inside and whole.suffix in MINIFIERS and OF_OTHERS.isdisjoint(whole.relative_to(settings.BASE_DIR).parts)


class MinifiedFiles:
    """The files of a storage, as far as the collector of static files opens them, minified."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def open(self, path: str) -> ContentFile:
        with self._storage.open(path) as file:
            return ContentFile(MINIFIERS[Path(path).suffix](file.read().decode()).encode())
