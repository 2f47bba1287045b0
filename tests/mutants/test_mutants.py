"""What the mutation run tells is true: a judgement fits today's code, and a seed draws the same mutants."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.live_site import ROOT
from tests.mutants import __main__ as command
from tests.mutants import database_plugin
from tests.mutants.judgements import JUDGED, Judgements, changed_lines
from tests.mutants.parts import PARTS, Part
from tests.mutants.relevant_tests import Known, batches, place_of
from tests.mutants.runner import EQUIVALENT, KILLED, SURVIVED, Outcome
from tests.mutants.sampling import Mutant, draw, modules_of, places

DIFF = "--- a\n+++ b\n-    left = 1\n-    right = 2\n+    left = 1\n+    right = 3"
MUTANTS = [Mutant("shop.py", f"core/Replace_{name}", 0, line, 4) for line in range(50) for name in ("Lt", "Gt")]


@pytest.mark.parametrize("name", PARTS)
def test_each_part_names_modules_and_tests_that_exist(name: str) -> None:
    part = PARTS[name]
    modules = {str(module.relative_to(ROOT)) for module in modules_of(part)}

    assert modules
    assert [pattern for pattern in (*part.modules, *part.tests, *part.but) if not list(ROOT.glob(pattern))] == []
    assert part.tests_by_module.keys() <= modules
    assert {test for tests in part.tests_by_module.values() for test in tests} <= set(part.tests)


def test_each_module_of_kafkas_adapter_names_the_tests_that_judge_it() -> None:
    there = {str(path.relative_to(ROOT)) for path in (ROOT / "eventbus/backends/kafka").rglob("*.py")}

    assert {module for module in there if not module.endswith("/__init__.py")} <= PARTS["kafka"].tests_by_module.keys()


def test_a_module_is_judged_by_its_own_tests_or_by_all_of_its_part() -> None:
    part = Part(("bus/*.py",), ("test_all.py",), tests_by_module={"bus/log.py": ("test_log.py",)})

    assert part.tests_of("bus/log.py") == ("test_log.py",)
    assert part.tests_of("bus/worker.py") == ("test_all.py",)


def test_a_module_that_does_more_over_kafka_is_mutated_there_and_nowhere_else() -> None:
    over_kafka, bus = (set(modules_of(PARTS[name])) for name in ("kafka", "eventbus"))

    assert ROOT / "eventbus/consuming/assignment.py" in over_kafka
    assert over_kafka & bus == set()


def test_a_mutant_is_shown_to_the_tests_of_its_module_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    module = "eventbus/clock.py"
    number = next(at for at, text in enumerate((ROOT / module).read_text().splitlines(), 1) if "def now" in text) + 2
    ran = {module: frozenset({number})}
    tests = [Known(f"{file}::test", 1, False, ran) for file in ("tests/test_fences.py", "tests/test_terms.py")]
    part = Part((module,), ("tests/test_*.py",), tests_by_module={module: ("tests/test_fences.py",)})
    monkeypatch.setattr(command, "known_tests", lambda files: [test for test in tests if test.file in files])

    [(_, batches_of_it)] = command._asked(part, [Mutant(module, "core/NumberReplacer", 0, number, 4)])

    assert [[test.name for test in batch] for batch in batches_of_it] == [["tests/test_fences.py::test"]]


def test_each_judgement_names_a_line_that_is_there() -> None:
    for module, before, _ in Judgements.read().judged:
        lines = " ".join(line.strip() for line in (ROOT / module).read_text().splitlines())
        assert before in lines, f"{JUDGED.name} judges a line that {module} has no more: {before}"


def test_a_survivor_that_was_judged_is_equivalent_and_nothing_else_is() -> None:
    survived = Outcome(MUTANTS[0], SURVIVED, DIFF, 1.0)
    judged = Judgements(frozenset({("shop.py", *changed_lines(DIFF))}))

    assert judged.of(survived).end == EQUIVALENT
    assert judged.of(survived._replace(end=KILLED)).end == KILLED
    assert judged.of(survived._replace(diff=DIFF.replace("3", "4"))).end == SURVIVED


def test_a_judgement_without_a_reason_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "judged.toml"
    file.write_text('[[equivalent]]\nmodule = "shop.py"\nbefore = "1"\nafter = "2"\nwhy = " "\n')

    with pytest.raises(ValueError, match=r"say why '2' in shop\.py"):
        Judgements.read(file)


def test_a_seed_draws_the_same_mutants_and_one_of_a_place() -> None:
    drawn = draw(places(MUTANTS), sample=20, seed=7)

    assert drawn == draw(places(MUTANTS), sample=20, seed=7) != draw(places(MUTANTS), sample=20, seed=8)
    assert len({mutant.line for mutant in drawn}) == len(drawn) == 20


def test_more_cannot_be_drawn_than_there_are_and_only_what_was_asked_for() -> None:
    assert len(draw(places(MUTANTS), sample=999, seed=1)) == 50
    assert draw(places(MUTANTS), sample=999, seed=1, only="orders") == []


SHOP = """\
LIMIT = 5


def sell(pieces: int) -> bool:
    if pieces > LIMIT:
        return False
    else:
        return (
            pieces > 0
        )
"""


@pytest.mark.parametrize(
    ("line", "lines", "called", "names"),
    [
        pytest.param(1, [1], False, ("LIMIT",), id="a constant"),
        pytest.param(4, [4], False, ("sell",), id="the head of a function"),
        pytest.param(5, [5], True, ("sell",), id="the head of an if, without what it decides"),
        pytest.param(9, [8, 9, 10], True, ("sell",), id="a statement of several lines"),
    ],
)
def test_a_place_is_the_statement_that_runs_it(line: int, lines: list[int], called: bool, names: tuple[str]) -> None:
    place = place_of(SHOP, line)

    assert (list(place.lines), place.called, place.names) == (lines, called, names)


def test_those_that_run_the_line_are_asked_the_shortest_first_and_of_a_head_of_a_function_all_of_its_module() -> None:
    module = "eventbus/clock.py"
    lines = (ROOT / module).read_text().splitlines()
    head = next(number for number, text in enumerate(lines, 1) if text.startswith("def now"))
    ran = {module: frozenset({head + 2})}
    tests = [Known("slow", 9, False, ran), Known("quick", 1, False, ran), Known("process", 1, True, {})]
    tests.append(Known("elsewhere", 2, False, {module: frozenset({head + 100})}))

    inside, above = (
        [test.name for batch in batches(tests, Mutant(module, "core/NumberReplacer", 0, line, 4)) for test in batch]
        for line in (head + 2, head)
    )

    assert inside == ["quick", "slow"]
    assert sorted(above) == ["elsewhere", "process", "quick", "slow"]


def test_a_test_that_fails_as_it_is_notices_nothing() -> None:
    told = {"failed": False, "seconds": 1.0, "processes": False, "lines": {"shop.py": [1]}}

    assert [test.name for test in Known.read({"well": told, "ill": {**told, "failed": True}})] == ["well"]


@pytest.mark.django_db
def test_tests_that_need_no_database_are_asked_first(request: pytest.FixtureRequest) -> None:
    asks = SimpleNamespace(get_closest_marker=lambda name: None, fixturenames=["transactional_db"])
    needs_none = SimpleNamespace(get_closest_marker=lambda name: None, fixturenames=["tmp_path"])
    items: list[Any] = [request.node, asks, needs_none]

    database_plugin.pytest_collection_modifyitems(items)

    assert items == [needs_none, request.node, asks]
