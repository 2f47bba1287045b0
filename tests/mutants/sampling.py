"""The mutants that a part can have, and a sample of them: Cosmic Ray knows how code can be changed."""

import random
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from tests.live_site import ROOT
from tests.mutants.parts import Part

# They change a type hint (X | None), or what a line break hides; or they say the same in another way each time.
SENSELESS = ("_BitOr_", "RemoveDecorator", "VariableReplacer", "VariableInserter")


class Mutant(NamedTuple):
    """One change of one place: the `occurrence`-th of those that the operator can make in the module."""

    module: str
    operator: str
    occurrence: int
    line: int
    column: int


def modules_of(part: Part) -> list[Path]:
    left_out = {found for pattern in part.but for found in ROOT.glob(pattern)}
    found = {found for pattern in part.modules for found in ROOT.glob(pattern)}
    return sorted(one for one in found - left_out if left_out.isdisjoint(one.parents))


def places(mutants: Iterable[Mutant]) -> list[list[Mutant]]:
    """The mutants of each place by one family of operators: as good as one another, so one of them is enough."""
    found: dict[tuple[str, str, int, int], list[Mutant]] = {}
    for one in mutants:
        found.setdefault((one.module, one.operator.split("_")[0], one.line, one.column), []).append(one)
    return list(found.values())


def draw(possible: list[list[Mutant]], *, sample: int, seed: int, only: str = "") -> list[Mutant]:
    """One each of so many places, the same ones for the same seed, spread over the modules as the code is."""
    chance = random.Random(seed)
    wanted = [of_place for of_place in possible if only in of_place[0].module]
    return sorted(chance.choice(of_place) for of_place in chance.sample(wanted, min(sample, len(wanted))))


def all_mutants(part: Part) -> Iterator[Mutant]:
    from cosmic_ray.ast import ast_nodes, get_ast_from_path
    from cosmic_ray.plugins import get_operator, operator_names

    for module in modules_of(part):
        tree, lines = get_ast_from_path(module), module.read_text().splitlines()
        for name in sorted(operator_names()):
            operator_class = get_operator(name)
            if operator_class.arguments() or any(one in name for one in SENSELESS):
                continue
            operator = operator_class()
            spans = (span for node in ast_nodes(tree) for span in operator.mutation_positions(node))
            for occurrence, ((line, column), (_, end)) in enumerate(spans):
                if not _is_senseless(name, before=lines[line - 1][:column], text=lines[line - 1][column:end]):
                    yield Mutant(str(module.relative_to(ROOT)), name, occurrence, line, column)


def _is_senseless(operator: str, *, before: str, text: str) -> bool:
    if "Exception" in operator:
        return not text.isidentifier()  # `except module.Error`: it cannot put another name there
    # A star after a bracket or a comma is no product: it parts or unpacks arguments.
    return ("_Mul_" in operator or "_Pow_" in operator) and before.rstrip()[-1:] in ("", "(", "[", "{", ",")
