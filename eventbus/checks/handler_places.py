"""Find handlers in the source that would never be registered, since nothing imports their module at start."""

import ast
import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

DECLARING = frozenset({"handles", "effect"})
NAMES = DECLARING | {"watches"}
BUS_MODULES = frozenset({"eventbus", "eventbus.registry", "eventbus.consuming.watching"})
LEFT_OUT = frozenset({"tests", "migrations", "site-packages", "dist-packages", "node_modules", "__pycache__"})


class Use(NamedTuple):
    """A use of `handles`, `effect` or `watches` in a source file."""

    name: str
    line: int
    in_function: bool
    decorates: bool  # True if it stands above a function as its decorator


class Misplaced(NamedTuple):
    """A handler that would never be called, and what to do."""

    what: str
    remedy: str
    installed: bool = True  # False if its app is not installed, which may be on purpose


def misplaced(
    base: Path, apps: Mapping[str, Path], at_start: Collection[str], left_out: Collection[str] = ()
) -> Iterator[Misplaced]:
    """Yield the handlers below `base` that are not registered when Django starts.

    For an app that is not installed, only its first handler is yielded. `apps`: the folders of the installed apps by
    module name. `at_start`: the files that declared handlers before Django had started. `left_out`: the apps that the
    site leaves out on purpose, and of which nothing is yielded.
    """
    started = {os.path.realpath(name) for name in at_start}
    for package, folder in _packages(base, apps.values()):
        app = _app_of(folder, apps)
        if app is None:
            if package not in left_out:
                yield from _not_installed(base, package, folder / "handlers.py")
            continue
        for path in sorted(folder.glob("*.py")):
            for use in uses(path):
                found = _fault(use, app, package, path, os.path.realpath(path) in started)
                if found is not None:
                    yield Misplaced(f"{path.relative_to(base)}:{use.line}: {found[0]}", found[1])


def _not_installed(base: Path, package: str, path: Path) -> Iterator[Misplaced]:
    """Yield one finding for a package that is not installed and has handlers."""
    remedy = f'Add "{package}" to INSTALLED_APPS. A site that leaves it out on purpose names it in EVENTBUS["LEFT_OUT"]'
    for use in [use for use in uses(path) if use.name in DECLARING][:1]:
        place = f"{path.relative_to(base)}:{use.line}"
        yield Misplaced(f"{place}: {package} is not installed, so its handlers are not registered", remedy, False)


def _fault(use: Use, app: str, package: str, path: Path, started: bool) -> tuple[str, str] | None:
    if use.name == "watches":
        if use.in_function and not use.decorates:
            return None
        remedy = "Call watches(OrderPaid, call=function) in a function that the server runs, and keep what it returns"
        return "watches stands where it would begin at import, or as a decorator", remedy
    if use.in_function and use.decorates:
        remedy = f"Declare the handler at the top level of {app}/handlers.py"
        return f"@{use.name} stands inside a function, so it is registered only if that is called", remedy
    if use.in_function or started:
        return None
    module = package if path.stem == "__init__" else f"{package}.{path.stem}"
    remedy = f"Move the handler to {app}.handlers, which is imported at start, or import {module} there"
    return f"nothing imports {module} at start, so its @{use.name} is not registered", remedy


def _packages(base: Path, apps: Collection[Path]) -> Iterator[tuple[str, Path]]:
    """Yield the Python packages below a folder, with their names.

    A folder inside a package is one too, even without an `__init__.py`: Python can import it. At the top of a project
    such a folder counts only if an installed app is in it: others hold documents and data.
    """
    for place, folders, files in os.walk(base):
        folder = Path(place)
        folders[:] = sorted(one for one in folders if one not in LEFT_OUT and one.isidentifier())
        if folder == base:
            continue
        if folder.parent != base or "__init__.py" in files or any(app.is_relative_to(folder) for app in apps):
            yield ".".join(folder.relative_to(base).parts), folder
        else:
            folders.clear()


def _app_of(folder: Path, apps: Mapping[str, Path]) -> str | None:
    """Return the name of the installed app that a folder belongs to: the innermost one."""
    around = [name for name, path in apps.items() if folder == path or path in folder.parents]
    return max(around, key=len, default=None)


def uses(path: Path) -> list[Use]:
    """Return the uses of the bus's declarations in a file; none if there is no such file, or it is no Python."""
    try:
        text = path.read_text(encoding="utf-8")
        if "eventbus" not in text or not any(name in text for name in NAMES):
            return []
        tree = ast.parse(text)
    except (OSError, ValueError, SyntaxError):
        return []
    finder = _Finder(tree)
    return list(finder.uses(tree, in_function=False)) if finder.knows_any else []


class _Finder:
    """The names by which one file knows the bus's declarations."""

    def __init__(self, tree: ast.Module) -> None:
        self._names: dict[str, str] = {}  # the bus's name of a function, by the name that the file uses
        self._modules: set[str] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module in BUS_MODULES:
                self._names |= {one.asname or one.name: one.name for one in node.names if one.name in NAMES}
                self._modules |= {one.asname or one.name for one in node.names if one.name == "registry"}
            elif isinstance(node, ast.Import):
                self._modules |= {one.asname or one.name for one in node.names if one.name in BUS_MODULES}

    @property
    def knows_any(self) -> bool:
        """True if the file imports one of the bus's declarations."""
        return bool(self._names or self._modules)

    def uses(self, node: ast.AST, *, in_function: bool) -> Iterator[Use]:
        """Yield the uses below a node."""
        decorators = getattr(node, "decorator_list", [])
        for one in decorators:
            if name := self._name(one):
                yield Use(name, one.lineno, in_function, decorates=True)
        if isinstance(node, ast.Call) and (name := self._name(node)):
            yield Use(name, node.lineno, in_function, decorates=False)
        inside = in_function or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for below in ast.iter_child_nodes(node):
            if below not in decorators:
                yield from self.uses(below, in_function=inside)

    def _name(self, node: ast.expr) -> str:
        called = node.func if isinstance(node, ast.Call) else node
        if isinstance(called, ast.Name):
            return self._names.get(called.id, "")
        if isinstance(called, ast.Attribute) and ast.unparse(called.value) in self._modules and called.attr in NAMES:
            return called.attr
        return ""
