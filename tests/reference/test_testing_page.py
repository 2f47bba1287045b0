"""docs/reference/testing.md has each name of the test kit with its parameters, and each fixture of every folder."""

import ast
import inspect
from collections.abc import Iterator
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
METHODS = {f"Scenario.{name}": one for name, one in vars(Scenario).items() if inspect.isfunction(one)}
PUBLIC = {name: one for name, one in METHODS.items() if not name.startswith("Scenario._")}
HEADINGS = {"The test kit", "Functions", "Classes", "Fixtures of the bus", "Fixtures of the shop"}
SOURCES = [Path(inspect.getfile(module)).read_text() for module in (fixtures, shop_fixtures)]


def test_the_page_has_every_name_of_the_kit() -> None:
    assert BELOW.keys() - HEADINGS == {*testing.__all__, *FUNCTIONS, *PUBLIC}


@pytest.mark.parametrize("name", [*FUNCTIONS, *PUBLIC])
def test_the_page_and_the_parameters_agree(name: str) -> None:
    parameters = signatures.parameters_of((FUNCTIONS | PUBLIC)[name])

    assert list(signatures.differences(name, BELOW[name], parameters)) == []


def test_the_page_has_every_fixture_and_no_other() -> None:
    assert named(PAGE, "fixture").keys() == set(fixtures_in(*SOURCES))


def test_a_planted_fixture_is_found() -> None:
    planted = "@pytest.fixture\ndef parcel():\n    return 1\n"

    assert set(fixtures_in(*SOURCES, planted)) - named(PAGE, "fixture").keys() == {"parcel"}


def test_the_page_has_every_factory_and_mark(request: pytest.FixtureRequest) -> None:
    marks = [line.partition("(")[0] for line in request.config.getini("markers") if line.startswith("bus_")]

    assert named(PAGE, "factory").keys() == {name for name in vars(factories) if name.endswith("Factory")}
    assert list(named(PAGE, "mark")) == marks


# --- how it is found out -------------------------------------------------------------------------------------------


def fixtures_in(*sources: str) -> Iterator[str]:
    """The names of the fixtures that a test may ask for; one with an underscore is used by itself."""
    functions = [
        node for source in sources for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef)
    ]
    for node in functions:
        decorators = [ast.unparse(one) for one in node.decorator_list]
        if not node.name.startswith("_") and any(one.startswith("pytest.fixture") for one in decorators):
            yield node.name
