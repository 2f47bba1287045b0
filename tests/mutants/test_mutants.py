"""What the mutation run tells is true: a judgement fits today's code, and a seed draws the same mutants."""

from pathlib import Path

import pytest

from tests.live_site import ROOT
from tests.mutants.parts import PARTS
from tests.mutants.relevant_tests import Known, batches, place_of
from tests.mutants.runner import EQUIVALENT, JUDGED, KILLED, SURVIVED, Outcome, changed_lines, judgements
from tests.mutants.sampling import Mutant, draw, modules_of, places

DIFF = "--- a\n+++ b\n-    left = 1\n-    right = 2\n+    left = 1\n+    right = 3"
MUTANTS = [Mutant("shop.py", f"core/Replace_{name}", 0, line, 4) for line in range(50) for name in ("Lt", "Gt")]
CLOCK = "eventbus/clock.py"
SHOP = (
    "LIMIT = 5\n\n\ndef sell(pieces):\n    if pieces > LIMIT:\n        return False\n    return (\n        0\n    )\n"
)


@pytest.mark.parametrize("name", PARTS)
def test_each_part_names_modules_and_tests_that_exist(name: str) -> None:
    part = PARTS[name]

    assert modules_of(part)
    assert [pattern for pattern in (*part.modules, *part.tests, *part.but) if not list(ROOT.glob(pattern))] == []


def test_each_judgement_names_a_line_that_is_there() -> None:
    for module, before, _ in judgements():
        lines = " ".join(line.strip() for line in (ROOT / module).read_text().splitlines())
        assert before in lines, f"{JUDGED.name} judges a line that {module} has no more: {before}"


def test_a_survivor_that_was_judged_is_equivalent_and_nothing_else_is(tmp_path: Path) -> None:
    survived = Outcome(MUTANTS[0], SURVIVED, DIFF, 1.0)
    judged = {("shop.py", *changed_lines(DIFF))}
    unreasoned = tmp_path / "judged.toml"
    unreasoned.write_text('[[equivalent]]\nmodule = "shop.py"\nbefore = "1"\nafter = "2"\nwhy = " "\n')

    assert survived.judged(judged).end == EQUIVALENT
    assert survived._replace(end=KILLED).judged(judged).end == KILLED
    assert survived._replace(diff=DIFF.replace("3", "4")).judged(judged).end == SURVIVED
    with pytest.raises(ValueError, match=r"say why '2' in shop\.py"):
        judgements(unreasoned)


def test_a_seed_draws_the_same_mutants_and_one_of_a_place() -> None:
    drawn = draw(places(MUTANTS), sample=20, seed=7)

    assert drawn == draw(places(MUTANTS), sample=20, seed=7) != draw(places(MUTANTS), sample=20, seed=8)
    assert len({mutant.line for mutant in drawn}) == len(drawn) == 20


@pytest.mark.parametrize(
    ("line", "lines", "called", "names"),
    [
        pytest.param(1, [1], False, ("LIMIT",), id="a constant"),
        pytest.param(4, [4], False, ("sell",), id="the head of a function"),
        pytest.param(5, [5], True, ("sell",), id="the head of an if, without what it decides"),
        pytest.param(8, [7, 8, 9], True, ("sell",), id="a statement of several lines"),
    ],
)
def test_a_place_is_the_statement_that_runs_it(line: int, lines: list[int], called: bool, names: tuple[str]) -> None:
    place = place_of(SHOP, line)

    assert (list(place.lines), place.called, place.names) == (lines, called, names)


def test_those_that_run_the_line_are_asked_the_shortest_first_and_of_a_head_of_a_function_all_of_its_module() -> None:
    lines = (ROOT / CLOCK).read_text().splitlines()
    head = next(number for number, text in enumerate(lines, 1) if text.startswith("def now"))
    ran, elsewhere = {CLOCK: {head + 2}}, {CLOCK: {head + 100}}
    told = [("slow", 9, False, ran), ("quick", 1, False, ran), ("process", 1, True, {}), ("else", 2, False, elsewhere)]
    tests = [Known(*one) for one in told]

    inside, above = (
        [test.name for batch in batches(tests, Mutant(CLOCK, "core/NumberReplacer", 0, line, 4)) for test in batch]
        for line in (head + 2, head)
    )

    assert inside == ["quick", "slow"]
    assert sorted(above) == ["else", "process", "quick", "slow"]
