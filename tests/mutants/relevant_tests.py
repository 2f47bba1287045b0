"""The tests that can notice a mutant: those that run the changed line. They run first, and often alone."""

import ast
import re
from collections.abc import Iterable
from functools import cache
from typing import Any, NamedTuple

from tests.live_site import ROOT
from tests.mutants.line_plugin import PRODUCT
from tests.mutants.sampling import Mutant

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Known(NamedTuple):
    """A test that passes while nothing is changed, and the lines of the product that it ran then."""

    name: str
    seconds: float
    processes: bool  # whether it started some, which may run anything
    lines: dict[str, frozenset[int]]

    @classmethod
    def read(cls, told: dict[str, dict[str, Any]]) -> "list[Known]":
        return [
            cls(
                name, one["seconds"], one["processes"], {module: frozenset(ran) for module, ran in one["lines"].items()}
            )
            for name, one in told.items()
            if not one["failed"]
        ]

    @property
    def file(self) -> str:
        return self.name.split("::")[0]

    def runs(self, lines: Iterable[tuple[str, int]]) -> bool:
        return any(line in self.lines.get(module, ()) for module, line in lines)


class Place(NamedTuple):
    """A statement: its lines in the file, whether a call runs it or the import, and the names it gives something to."""

    lines: range
    called: bool
    names: tuple[str, ...]


def batches(tests: list[Known], mutant: Mutant) -> list[list[Known]]:
    """The tests to run, one batch after another, while none has noticed. Hardly any other can notice.

    First those that run the statement, or, of a constant, a line that names it. What none of them runs, and what is run
    at import alone and is no constant, can be noticed by each test that runs a line of the module or starts processes.
    """
    place = place_of((ROOT / mutant.module).read_text(), mutant.line)
    lines = [(mutant.module, line) for line in place.lines] if place.called else lines_naming(place.names)
    first = [test for test in tests if test.runs(lines)]
    constant = not place.called and bool(place.names) and all(name.isupper() for name in place.names)
    enough = first and (place.called or constant)
    told = {test.name for test in first}
    then = [] if enough else [test for test in tests if test.processes or mutant.module in test.lines]
    then = [test for test in then if test.name not in told]
    return [_shortest_first(some) for some in (first, then) if some]


def _shortest_first(tests: list[Known]) -> list[Known]:
    """Without their lines: they are many, and go to another process for each mutant."""
    return sorted((test._replace(lines={}) for test in tests), key=lambda test: test.seconds)


def place_of(source: str, line: int) -> Place:
    return _within(ast.parse(source).body, line, called=False, names=()) or Place(range(line, line + 1), False, ())


def _within(body: list[ast.stmt], line: int, *, called: bool, names: tuple[str, ...]) -> Place | None:
    for node in body:
        begin = min([node.lineno, *(one.lineno for one in getattr(node, "decorator_list", []))])
        if not begin <= line <= (node.end_lineno or node.lineno):
            continue
        inner = _bodies(node)
        head_ends = min((one.lineno for one in inner), default=(node.end_lineno or node.lineno) + 1)
        names = names if called else (*names, *_given_names(node))
        if line < head_ends or head_ends == begin:
            return Place(range(begin, max(head_ends, begin + 1)), called, names)
        deeper = _within(inner, line, called=called or isinstance(node, FUNCTIONS), names=names)
        return deeper or Place(range(line, line + 1), called, names)  # `else:`, `except ...:`
    return None


def _bodies(node: ast.AST) -> list[Any]:
    """The statements inside it; a handler of errors is one, with a body of its own."""
    fields = ("body", "handlers", "orelse", "finalbody", "cases")
    inner = [one for field in fields for one in getattr(node, field, []) if isinstance(one, ast.AST)]
    return [first for one in inner for first in (one.body if isinstance(one, ast.match_case) else [one])]


def _given_names(node: ast.AST) -> tuple[str, ...]:
    if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
        return (node.name,)
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return tuple(one.id for target in targets if target for one in ast.walk(target) if isinstance(one, ast.Name))


def lines_naming(names: tuple[str, ...]) -> list[tuple[str, int]]:
    if not names:
        return []
    word = re.compile(rf"\b({'|'.join(map(re.escape, names))})\b")
    return [(module, number) for module, lines in _product() for number, line in lines if word.search(line)]


@cache
def _product() -> list[tuple[str, list[tuple[int, str]]]]:
    return [
        (str(file.relative_to(ROOT)), list(enumerate(file.read_text().splitlines(), 1)))
        for name in PRODUCT
        for file in sorted((ROOT / name).rglob("*.py"))
    ]
