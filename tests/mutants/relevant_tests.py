"""The tests that can notice a mutant: those that run the changed line. They run first, and often alone."""

import ast
import re
from typing import Any, NamedTuple

from tests.live_site import ROOT
from tests.mutants.plugin import PRODUCT
from tests.mutants.sampling import Mutant

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


class Known(NamedTuple):
    """A test that passes while nothing is changed, and the lines of the product that it ran then."""

    name: str
    seconds: float
    processes: bool  # whether it started some, which may run anything
    lines: dict[str, set[int]]

    @classmethod
    def read(cls, told: dict[str, dict[str, Any]]) -> "list[Known]":
        return [
            cls(name, one["seconds"], one["processes"], {module: set(ran) for module, ran in one["lines"].items()})
            for name, one in told.items()
            if not one["failed"]
        ]


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
    lines = [(mutant.module, line) for line in place.lines] if place.called else _lines_naming(place.names)
    first = [test for test in tests if any(line in test.lines.get(module, ()) for module, line in lines)]
    constant = bool(place.names) and all(name.isupper() for name in place.names)
    enough = first and (place.called or constant)
    then = [] if enough else [test for test in tests if test.processes or mutant.module in test.lines]
    told = {test.name for test in first}
    return [_shortest_first(some) for some in (first, [one for one in then if one.name not in told]) if some]


def _shortest_first(tests: list[Known]) -> list[Known]:
    """Without their lines: they are many, and go to another process for each mutant."""
    return sorted((test._replace(lines={}) for test in tests), key=lambda test: test.seconds)


def place_of(source: str, line: int) -> Place:
    """The innermost statement there, without what it decides."""
    nodes = [one for one in ast.walk(ast.parse(source)) if isinstance(one, (ast.stmt, ast.excepthandler))]
    around = [one for one in nodes if _begin(one) <= line <= (one.end_lineno or one.lineno)]
    if not around:
        return Place(range(line, line + 1), False, ())
    begin, end = _begin(around[-1]), around[-1].end_lineno or around[-1].lineno
    inside = (_begin(one) for one in ast.walk(around[-1]) if one is not around[-1] and one in nodes)
    head_ends = max(begin + 1, min(inside, default=end + 1))
    lines = range(begin, head_ends) if line < head_ends else range(line, line + 1)  # `else:`
    called = any(isinstance(one, FUNCTIONS) for one in around[:-1])
    return Place(lines, called, tuple(name for one in around for name in _given_names(one)))


def _begin(node: Any) -> int:
    return min(one.lineno for one in (node, *getattr(node, "decorator_list", [])))


def _given_names(node: Any) -> list[str]:
    if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
        return [node.name]
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [one.id for target in targets if target for one in ast.walk(target) if isinstance(one, ast.Name)]


def _lines_naming(names: tuple[str, ...]) -> list[tuple[str, int]]:
    word = re.compile(rf"\b({'|'.join(map(re.escape, names))})\b")
    files = [file for name in PRODUCT if names for file in sorted((ROOT / name).rglob("*.py"))]
    return [
        (str(file.relative_to(ROOT)), number)
        for file in files
        for number, line in enumerate(file.read_text().splitlines(), 1)
        if word.search(line)
    ]
