"""docs/reference/bus.md has each name, parameter, error and system check of the bus."""

import inspect
import re
from collections.abc import Callable, Collection
from typing import Any

import pytest

import eventbus
from eventbus.backends.topics import declare_topic
from eventbus.declaration.keywords import EventMeta
from mcommerce.web.slots import fragment
from mcommerce.web.slots.registry import PLACES
from tests.reference import signatures
from tests.reference.tables import named, page, sections

PAGE = page("bus")
NOT_NAMES = {"The bus", "A new version of an event", "Errors", "System checks"}
BESIDE: dict[str, Callable[..., Any]] = {"declare_topic": declare_topic, "fragment": fragment}


def test_the_page_has_every_name_of_the_bus() -> None:
    assert names_of_one(eventbus.__all__) == set()


@pytest.mark.parametrize("name", [*(name for name in eventbus.__all__ if name[0].islower()), "Event", *BESIDE])
def test_the_page_and_the_parameters_agree(name: str) -> None:
    assert list(signatures.differences(name, sections(PAGE)[name], parameters(name))) == []


def test_the_page_has_every_place_of_fragments() -> None:
    told = set(re.findall(r'`"(\w+)"`', named(sections(PAGE)["fragment"], "parameter")["place"]["meaning"]))

    assert told == PLACES.keys()


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
