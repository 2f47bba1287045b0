"""The variables that files beside settings.py read from the environment, and the settings that have no variable."""

import ast
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from django.conf import global_settings

from tests.reference.tables import ROOT

SETTINGS = "mcommerce/settings.py"  # is read by tests/settings_source.py
PACKAGES = ("eventbus", "mcommerce", "stations", "outside")
ENVIRON = {"os.environ", "environ"}
GETTERS = {f"{one}.{name}" for one in ENVIRON for name in ("get", "pop", "setdefault")} | {"os.getenv", "getenv"}
MAKES_OWN = {"MAKE", "MAKEFILE_LIST"}
OF_MAKE = re.compile(r"^(?:[\w-]+: )?(?:export )?([A-Z_]+) *(\?=|:=|=|\+=) *(.*?) *$", re.MULTILINE)
USED_BY_MAKE = re.compile(r"\$\(([A-Z_]+)\)|\$\$\{?([A-Z_]+)")
OF_COMPOSE = re.compile(r"\$\{([A-Z_]+)(?::([-?])([^}]*))?\}")
OF_CADDY = re.compile(r"\{\$([A-Z_]+)(?::([^}]*))?\}")
REQUIRED = "required"


class Read(NamedTuple):
    """One place that reads a variable. `default` is None without one, `name` is empty if it is no plain text."""

    name: str
    file: str
    default: str | None = None


def files() -> dict[str, str]:
    """The files that may read the environment, by path. That of the settings has a test of its own."""
    paths = [ROOT / name for name in ("docker-entrypoint", "manage.py", "Makefile", "compose.yaml", "Caddyfile")]
    paths += [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    found = {str(path.relative_to(ROOT)): path.read_text() for path in paths}
    return {name: text for name, text in found.items() if name != SETTINGS}


def variables_read(texts: Mapping[str, str]) -> list[Read]:
    """Each variable that a file reads, by the form in which files of its kind read one."""
    kinds = {"Makefile": _by_make, "compose.yaml": _by_compose, "Caddyfile": _by_caddy}
    return [one for file, text in texts.items() for one in kinds.get(file, _by_python)(file, text)]


def _by_make(file: str, text: str) -> Iterator[Read]:
    """A variable that the Makefile sets by `?=`, hands to the shell, or uses without setting it."""
    set_here = {name for name, *_ in OF_MAKE.findall(text)}
    yield from (Read(name, file, default) for name, sign, default in OF_MAKE.findall(text) if sign == "?=")
    used = {name or in_shell for name, in_shell in USED_BY_MAKE.findall(text)}
    yield from (Read(name, file) for name in sorted(used - set_here - MAKES_OWN))


def _by_compose(file: str, text: str) -> Iterator[Read]:
    for name, sign, default in OF_COMPOSE.findall(text):
        yield Read(name, file, {"-": default, "?": REQUIRED}.get(sign))


def _by_caddy(file: str, text: str) -> Iterator[Read]:
    yield from (Read(name, file, default or None) for name, default in OF_CADDY.findall(text))


def _by_python(file: str, text: str) -> Iterator[Read]:
    if "environ" not in text and "getenv" not in text:
        return
    nodes = list(ast.walk(ast.parse(text)))
    otherwise = {one.values[0]: one.values[1] for one in nodes if isinstance(one, ast.BoolOp)}
    for node in nodes:
        match node:
            case ast.Call(func=function, args=[name, *rest]) if ast.unparse(function) in GETTERS:
                yield Read(_text(name), file, _literal(otherwise.get(node) or next(iter(rest), None)))
            case ast.Subscript(value=value, slice=name) if ast.unparse(value) in ENVIRON:
                yield Read(_text(name), file)
            case ast.Compare(left=name, ops=[ast.In()], comparators=[value]) if ast.unparse(value) in ENVIRON:
                yield Read(_text(name), file)


def _text(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _literal(node: ast.expr | None) -> str | None:
    return str(node.value) if isinstance(node, ast.Constant) and node.value != "" else None


# --- settings without a variable -------------------------------------------------------------------------------------


def names_in_python(texts: Mapping[str, str]) -> set[str]:
    """The settings that the code asks of `django.conf`, without Django's own."""
    found = {name for file, text in texts.items() if file.endswith(".py") for name in _asked(ast.parse(text))}
    return found - set(vars(global_settings))


def keys_read(texts: Mapping[str, str]) -> dict[str, str]:
    """The keys of the setting EVENTBUS that the code reads, each with the source of its default."""
    found: dict[str, str] = {}
    for text in texts.values():
        if "EVENTBUS" in text and "django.conf" in text:
            for key, default in _keys(ast.parse(text)):
                found[key] = found.get(key) or default
    return found


def _asked(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name("settings"), attr=name) if name.isupper():
                yield name
            case ast.Call(func=ast.Name("getattr"), args=[ast.Name("settings"), ast.Constant(str(name)), *_]):
                yield name


def _keys(tree: ast.Module) -> Iterator[tuple[str, str]]:
    nodes = list(ast.walk(tree))
    values = {ast.unparse(one.value): one for one in nodes if isinstance(one, ast.AnnAssign | ast.Assign) and one.value}
    meant = {"settings.EVENTBUS", "getattr(settings, 'EVENTBUS', {})"}
    meant |= {ast.unparse(_target(one)) for text, one in values.items() if text in meant}
    for node in nodes:
        match node:
            case ast.Call(func=ast.Attribute(value=value, attr="get"), args=[key, *rest]) if (
                ast.unparse(value) in meant
            ):
                yield _text(key), ast.unparse(rest[0]) if rest else "None"
            case ast.Subscript(value=value, slice=key) if ast.unparse(value) in meant:
                yield _text(key), REQUIRED


def _target(node: ast.Assign | ast.AnnAssign) -> ast.expr:
    return node.target if isinstance(node, ast.AnnAssign) else node.targets[0]
