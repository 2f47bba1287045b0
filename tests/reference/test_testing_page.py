"""docs/reference/testing.md has each name of the test kit with its parameters, and each fixture of every folder."""

import ast
import inspect
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest

from eventbus import testing
from eventbus.testing import Scenario, fault_injection, fixtures
from tests import factories, shop_fixtures
from tests.reference import signatures
from tests.reference.tables import named, page, sections

PAGE = page("testing")
BELOW = sections(PAGE)
FUNCTIONS = {name: one for name in testing.__all__ if inspect.isfunction(one := getattr(testing, name))} | {
    "inject_faults": fault_injection.inject_faults
}
PUBLIC = {f"Scenario.{name}": one for name, one in vars(Scenario).items() if inspect.isfunction(one)}
PUBLIC = {name: one for name, one in PUBLIC.items() if not name.startswith("Scenario._")}
HEADINGS = {"The test kit", "Functions", "Classes", "Fixtures of the bus", "Fixtures of the shop"}
SOURCES = [Path(inspect.getfile(module)).read_text() for module in (fixtures, shop_fixtures)]


def test_the_page_has_every_name_of_the_kit() -> None:
    assert names_of_one(testing.__all__, methods_of(Scenario)) == set()


@pytest.mark.parametrize("name", [*FUNCTIONS, *PUBLIC])
def test_the_page_and_the_parameters_agree(name: str) -> None:
    parameters = signatures.parameters_of((FUNCTIONS | PUBLIC)[name])

    assert list(signatures.differences(name, BELOW[name], parameters)) == []


def test_the_page_has_every_fixture_and_no_other() -> None:
    assert named(PAGE, "fixture").keys() == set(fixtures_in(*SOURCES))


def test_the_page_has_every_factory_and_mark(request: pytest.FixtureRequest) -> None:
    assert factory_differences() == set()
    assert mark_differences(request.config.getini("markers")) == set()


# --- how it is found out -------------------------------------------------------------------------------------------


def names_of_one(names: Collection[str], methods: Collection[str]) -> set[str]:
    """Those that are a heading of the page or a name of the kit, and not both."""
    return (BELOW.keys() - HEADINGS) ^ {*names, *FUNCTIONS, *methods}


def methods_of(one: type) -> set[str]:
    found = {name for name, value in vars(one).items() if inspect.isfunction(value)}
    return {f"{one.__name__}.{name}" for name in found if not name.startswith("_")}


def factory_differences() -> set[str]:
    return named(PAGE, "factory").keys() ^ {name for name in vars(factories) if name.endswith("Factory")}


def mark_differences(lines: Collection[str]) -> set[str]:
    return named(PAGE, "mark").keys() ^ {line.partition("(")[0] for line in lines if line.startswith("bus_")}


def fixtures_in(*sources: str) -> Iterator[str]:
    """The names of the fixtures that a test may ask for; one with an underscore is used by itself."""
    functions = [
        node for source in sources for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)
    ]
    for node in functions:
        decorators = [ast.unparse(one) for one in node.decorator_list]
        if not node.name.startswith("_") and any(one.startswith("pytest.fixture") for one in decorators):
            yield node.name
