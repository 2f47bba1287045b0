"""The storage from which the collector of static files takes the project's own scripts and sheets, made short."""

from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.staticfiles import finders
from django.core.files.base import ContentFile
from django.core.files.storage import Storage

from mcommerce.web.own_files.bundle import Bundle
from mcommerce.web.own_files.minified import MINIFIERS

OF_OTHERS = {"site-packages", "vendor"}  # folders of what others wrote, which comes as they ship it


def is_ours(storage: Any, path: str) -> bool:
    """Return True for a script or sheet that was written for this project."""
    whole = Path(storage.path(path))
    inside = whole.is_relative_to(settings.BASE_DIR)
    return inside and whole.suffix in MINIFIERS and OF_OTHERS.isdisjoint(whole.relative_to(settings.BASE_DIR).parts)


class OwnFiles:
    """The files of a storage as a deployed site sends them: a script with the modules of its app, and all minified."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    def open(self, path: str) -> ContentFile:
        """Return a file's short form. Raises NotBundled or NestedTemplate, which say what to write otherwise."""
        if path.endswith(".js"):
            text = Bundle(path, _source, lambda name: _is_beside(path, name)).text()
        else:
            with self._storage.open(path) as file:
                text = file.read().decode()
        return ContentFile(MINIFIERS[Path(path).suffix](text).encode())


def _source(name: str) -> str:
    found = finders.find(name)
    if not found:
        raise FileNotFoundError(f"No static file {name}, which a script imports")
    return Path(str(found)).read_text()


def _is_beside(entry: str, name: str) -> bool:
    """Return True for a module of the same app. Others may run on the same page by themselves, and must run once."""
    return Path(name).parts[0] == Path(entry).parts[0] and OF_OTHERS.isdisjoint(Path(name).parts)
