"""Each error class and each system check of the project stands in a page of the reference."""

import ast
import builtins
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import NamedTuple

import pytest

from tests.reference.tables import PACKAGES, Row, code, named, page, rows, sections, sources

Name = tuple[str, str]  # of a class: its module and its name; the module of a built-in class is empty


class ErrorClass(NamedTuple):
    """A class of the project that can be raised. Two modules may each have one of the same name."""

    name: str
    module: str
    bases: tuple[str, ...]


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


PAGE, BUS, KIT = page("errors"), page("bus"), page("testing")
SOURCES = sources()
LEVELS = {"E": "error", "W": "warning", "I": "info", "C": "critical", "D": "debug"}
CHECKS = "django.core.checks"
MESSAGES = {"Error", "Warning", "Info", "Critical", "Debug", "CheckMessage"}


def test_the_pages_and_the_error_classes_agree() -> None:
    assert error_differences(error_classes(SOURCES)) == []


def test_the_pages_and_the_checks_agree() -> None:
    assert check_differences(SOURCES.values()) == []


@pytest.mark.parametrize(
    "start", [f"from {CHECKS} import Warning as Note\nNote", "from django.core import checks\nchecks.Warning"]
)
def test_a_new_check_in_any_app_is_found(start: str) -> None:
    planted = f'{start}("slow", hint="buy a disk", id="stations.W099")\n'

    assert check_differences([*SOURCES.values(), planted]) == ["stations.W099 is a check, and is on no page"]


# --- how it is found out -------------------------------------------------------------------------------------------


def error_differences(found: Collection[ErrorClass]) -> list[str]:
    """Sentences about what the pages and the error classes say differently. Those of the bus have a page of theirs."""
    told = {f"{code(row['module'])}.{code(row['error'])}": row for row in rows(PAGE) if "error" in row}
    elsewhere = named(sections(BUS)["Errors"], "error").keys() | sections(KIT).keys()
    here = {f"{one.module}.{one.name}": one for one in found}
    wrong = [f"{name} is on the page, and is no error" for name in told.keys() - here.keys()]
    wrong += [
        f"{name} is an error, and is on no page"
        for name, one in here.items()
        if name not in told and not (one.name in elsewhere and one.module.startswith("eventbus."))
    ]
    for name in told.keys() & here.keys():
        wrong += _wrong_row(name, told[name], here[name])
    return sorted(wrong)


def _wrong_row(name: str, row: Row, one: ErrorClass) -> Iterator[str]:
    bases = ", ".join(f"`{base}`" for base in one.bases)
    if row["is a"] != bases:
        yield f"{name} is a {bases}, and the page says {row['is a']}"
    if not (row["raised when"] and row["what to do"]):
        yield f"{name}: the page does not say when it is raised, and what to do"


def check_differences(texts: Collection[str]) -> list[str]:
    """Sentences about what the pages and the messages of system checks say differently."""
    told: Mapping[str, Row] = named(BUS, "check") | named(PAGE, "check")
    found = {ast.unparse(call): _id(call) for text in texts for call in _messages(text)}
    ids = set(filter(None, found.values()))
    wrong = [f"{call} is a check: give it an id, as a text" for call, name in found.items() if not name]
    wrong += [f"{name} is on a page, and is no check" for name in told.keys() - ids]
    wrong += [f"{name} is a check, and is on no page" for name in ids - told.keys()]
    for name, row in told.items():
        if row["level"] != LEVELS[name.rpartition(".")[2][0]] or not (row["says"] and row["what to do"]):
            wrong.append(f"{name}: the page does not say its level, what it says, and what to do")
    return sorted(wrong)


def _messages(text: str) -> Iterator[ast.Call]:
    """The calls that make a message of a system check."""
    nodes = list(ast.walk(parsed(text)))
    imports = [(node.module, one) for node in nodes if isinstance(node, ast.ImportFrom) for one in node.names]
    names = {one.asname or one.name for module, one in imports if module == CHECKS and one.name in MESSAGES}
    modules = [one.asname or one.name for module, one in imports if f"{module}.{one.name}" == CHECKS]
    names |= {f"{module}.{name}" for module in modules for name in MESSAGES}
    yield from (node for node in nodes if isinstance(node, ast.Call) and ast.unparse(node.func) in names)


def _id(call: ast.Call) -> str:
    given = [one.value for one in call.keywords if one.arg == "id"]
    return "".join(one.value for one in given if isinstance(one, ast.Constant) and isinstance(one.value, str))
