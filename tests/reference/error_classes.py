"""The error classes that the project declares, read from its sources."""

import ast
import builtins
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import NamedTuple

from tests.reference.tables import ROOT

PACKAGES = ("eventbus", "mcommerce", "stations", "outside")
Name = tuple[str, str]  # of a class: its module and its name; the module of a built-in class is empty


class ErrorClass(NamedTuple):
    """A class of the project that can be raised. Two modules may each have one of the same name."""

    name: str
    module: str
    bases: tuple[str, ...]


def sources() -> dict[str, str]:
    """The source of each module of the project, by the module's name."""
    paths = [path for package in PACKAGES for path in (ROOT / package).rglob("*.py")]
    return {_module_of(path): path.read_text() for path in paths if "migrations" not in path.parts}


def error_classes(texts: Mapping[str, str]) -> list[ErrorClass]:
    """The error classes of the sources. One with an underscore never leaves its module, so it is left out."""
    trees = {module: parsed(text) for module, text in texts.items()}
    imported = {(module, here): origin for module, tree in trees.items() for here, origin in _imports(tree)}
    nodes = {(module, node.name): node for module, tree in trees.items() for node in _classes(tree)}
    bases = {key: [_base(key[0], ast.unparse(one), imported) for one in node.bases] for key, node in nodes.items()}
    errors: set[Name] = set()
    while more := {key for key in nodes if any(one in errors or _is_others(one) for one in bases[key])} - errors:
        errors |= more
    found = [ErrorClass(name, module, tuple(one for _, one in bases[module, name])) for module, name in errors]
    return sorted(one for one in found if not one.name.startswith("_"))


@cache
def parsed(text: str) -> ast.Module:
    return ast.parse(text)


def _module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _classes(tree: ast.Module) -> list[ast.ClassDef]:
    return [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]


def _imports(tree: ast.Module) -> Iterator[tuple[str, Name]]:
    """Each imported name, with the module and the name that it comes from."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from ((one.asname or one.name, (node.module, one.name)) for one in node.names)
        elif isinstance(node, ast.Import):
            yield from ((one.asname, ("", one.name)) for one in node.names if one.asname)


def _base(module: str, text: str, imported: Mapping[Name, Name]) -> Name:
    """The class that a module means by this base, however often the name is passed on."""
    before, _dot, name = text.rpartition(".")
    if before:  # of a module: errors.Permanent
        return _origin((".".join(filter(None, imported.get((module, before), ("", before)))), name), imported)
    found = _origin((module, name), imported)
    return ("", name) if found == (module, name) and hasattr(builtins, name) else found


def _origin(name: Name, imported: Mapping[Name, Name]) -> Name:
    while name in imported:
        name = imported[name]
    return name


def _is_others(base: Name) -> bool:
    """Whether the base is an error of Python or of a library."""
    module, name = base
    if module.partition(".")[0] in PACKAGES:
        return False
    found = getattr(import_module(module) if module else builtins, name, None)
    return isinstance(found, type) and issubclass(found, BaseException)
