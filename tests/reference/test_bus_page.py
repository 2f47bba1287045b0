"""docs/reference/bus.md has each name, parameter, error and system check of the bus."""

import ast
import inspect
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime
from typing import Any

import pytest

import eventbus
from eventbus import errors
from eventbus.backends.topics import declare_topic
from eventbus.declaration.keywords import EventMeta
from mcommerce.web.slots import fragment
from mcommerce.web.slots.registry import PLACES
from tests.reference import signatures
from tests.reference.tables import ROOT, Row, named, page, sections

PAGE = page("bus")
NOT_NAMES = {"The bus", "A new version of an event", "Errors", "System checks"}
BESIDE: dict[str, Callable[..., Any]] = {"declare_topic": declare_topic, "fragment": fragment}
LEVELS = {"E": "error", "W": "warning"}


def test_the_page_has_every_name_of_the_bus() -> None:
    assert names_of_one(eventbus.__all__) == set()


def test_a_name_that_only_one_of_them_has_is_found() -> None:
    assert names_of_one([*eventbus.__all__, "shout"]) == {"shout"}
    assert names_of_one([name for name in eventbus.__all__ if name != "watches"]) == {"watches"}


@pytest.mark.parametrize("name", [*(name for name in eventbus.__all__ if name[0].islower()), "Event", *BESIDE])
def test_the_page_and_the_parameters_agree(name: str) -> None:
    assert list(signatures.differences(name, sections(PAGE)[name], parameters(name))) == []


def test_a_parameter_that_only_one_of_them_has_is_found() -> None:
    def publish(*events: eventbus.Event, due: datetime | None = None, unordered: str = "no", urgent: int = 0) -> None:
        pass

    planted = signatures.parameters_of(publish)

    assert list(signatures.differences("publish", sections(PAGE)["publish"], planted)) == [
        "publish: urgent is a parameter, and is not on the page",
        "publish(unordered): its default is 'no', and the page says `\"\"`",
    ]
    del planted["urgent"], planted["unordered"]
    assert list(signatures.differences("publish", sections(PAGE)["publish"], planted)) == [
        "publish: unordered is on the page, and is no parameter"
    ]


def test_the_page_has_every_place_of_fragments() -> None:
    told = set(re.findall(r'`"(\w+)"`', named(sections(PAGE)["fragment"], "parameter")["place"]["meaning"]))

    assert told == PLACES.keys()


def test_the_page_and_the_errors_agree() -> None:
    assert error_differences(named(sections(PAGE)["Errors"], "error"), dict(error_classes())) == []


def test_an_error_that_only_one_of_them_has_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    planted = type("TooEarly", (errors.RetryLater,), {"__module__": errors.__name__})
    monkeypatch.setattr(errors, "TooEarly", planted, raising=False)
    monkeypatch.delattr(errors, "WorkerDied")

    assert error_differences(named(sections(PAGE)["Errors"], "error"), dict(error_classes())) == [
        "TooEarly is an error, and is not on the page",
        "WorkerDied is on the page, and is no error",
    ]


def test_the_page_and_the_checks_agree() -> None:
    assert check_differences(checks_in(*sources())) == []


def test_a_check_that_only_one_of_them_has_is_found() -> None:
    planted = 'Warning("slow", hint="buy a disk", id="eventbus.W099")'
    fewer = [source.replace('id="eventbus.E007"', 'id="eventbus.E005"') for source in sources()]

    assert check_differences(checks_in(*sources(), planted)) == ["eventbus.W099 is a check, and is not on the page"]
    assert check_differences(checks_in(*fewer)) == ["eventbus.E007 is on the page, and is no check"]


# --- how it is found out -------------------------------------------------------------------------------------------


def names_of_one(names: Collection[str]) -> set[str]:
    """Those that are a heading of the page or a name of the bus or beside it, and not both."""
    return (sections(PAGE).keys() - NOT_NAMES) ^ {*names, *BESIDE}


def parameters(name: str) -> signatures.Parameters:
    """Those of a function of the bus. The class line of an event takes those of its metaclass."""
    function: Callable[..., Any] = EventMeta.__new__ if name == "Event" else BESIDE.get(name) or getattr(eventbus, name)
    found = signatures.parameters_of(function)
    if name != "Event":
        return found
    return {key: one for key, one in found.items() if one.kind is inspect.Parameter.KEYWORD_ONLY}


def error_classes() -> Iterator[tuple[str, type[BaseException]]]:
    for name, one in vars(errors).items():
        if isinstance(one, type) and issubclass(one, BaseException) and one.__module__ == errors.__name__:
            yield name, one
    for one in errors.Permanent.__subclasses__():  # an operator reads their names in dead letters
        if one.__module__.startswith("eventbus.") and one.__module__ != errors.__name__:
            yield one.__name__, one


def error_differences(told: Mapping[str, Row], found: Mapping[str, type[BaseException]]) -> list[str]:
    wrong = [f"{name} is on the page, and is no error" for name in told.keys() - found.keys()]
    wrong += [f"{name} is an error, and is not on the page" for name in found.keys() - told.keys()]
    for name in told.keys() & found.keys():
        bases = ", ".join(f"`{base.__name__}`" for base in found[name].__bases__)
        if told[name]["is a"] != bases:
            wrong.append(f"{name} is a {bases}, and the page says {told[name]['is a']}")
        if not (told[name]["raised when"] and told[name]["what to do"]):
            wrong.append(f"{name}: the page does not say when it is raised, and what to do")
    return sorted(wrong)


def sources() -> list[str]:
    return [path.read_text() for path in (ROOT / "eventbus").rglob("*.py")]


def checks_in(*texts: str) -> set[str]:
    """The ids that the sources give to messages of system checks."""
    calls = [node for text in texts for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)]
    named_ids = [one.value for call in calls for one in call.keywords if one.arg == "id"]
    texts_ = [one.value for one in named_ids if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    return {one for one in texts_ if one.startswith("eventbus.")}


def check_differences(found: set[str]) -> list[str]:
    told = named(PAGE, "check")
    wrong = [f"{name} is on the page, and is no check" for name in told.keys() - found]
    wrong += [f"{name} is a check, and is not on the page" for name in found - told.keys()]
    wrong += [name for name, row in told.items() if row["level"] != LEVELS[name.partition(".")[2][0]]]
    return sorted(wrong)
