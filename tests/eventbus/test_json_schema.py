"""The JSON Schema of an event says what its class says."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import pytest

from eventbus import Event
from eventbus.schemas import json_schema
from eventbus.schemas.json_schema import NoSchema, schema_of


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Branch(msgspec.Struct, frozen=True):
    """A branch, which may have others."""

    length: int  # centimetres
    others: "tuple[Branch, ...]" = ()


Leaf = msgspec.defstruct("Branch", [("leaves", int)], module="eventbus.events")  # another class of that name


class TreeSeen(Event, name="tree.seen", topic="trees", key="tree_id"):
    """A tree was seen.

    A reader ignores
    colours that it does not know. `LeafSeen` is another event.
    """

    tree_id: UUID
    seen_at: datetime  # by us
    planted: date
    bell: time
    age: timedelta
    height: Decimal
    width: float
    colour: Colour
    shade: str  # of `Colour`
    size: Literal["big", "small"]
    rings: Annotated[int, msgspec.Meta(ge=1, lt=5000)]
    owner: Annotated[str, msgspec.Meta(max_length=20, examples=["Ada"])]
    bark: bytes
    branches: tuple[Branch, ...]
    names: dict[str, str]
    place: tuple[float, float]
    colours: frozenset[str]
    country: Annotated[str, msgspec.Meta(examples=["FR"])]
    felled_at: datetime | None = None  # None: it stands

    # Counted by hand.
    nests: int = 0
    owls: int = 0

    doors: list[int] = []
    counts: dict[str, int] = {}
    marks: set[str] = set()
    twigs: tuple[Leaf, ...] = ()  # type: ignore[valid-type]
    number: int = msgspec.field(default_factory=lambda: 7)


class LeafSeen(Event, name="leaf.seen", topic="trees", key="tree_id"):
    """A leaf was seen."""

    tree_id: UUID


SCHEMA = schema_of(TreeSeen)
MADE = {"doors", "counts", "marks", "twigs", "number"}  # fields whose defaults are made for each event


def described(name: str) -> Any:
    return SCHEMA["properties"][name].get("description")


def test_fields_with_a_default_may_be_missing_and_unknown_ones_there() -> None:
    assert set(SCHEMA["properties"]) - set(SCHEMA["required"]) == {"felled_at", "nests", "owls", *MADE}
    assert SCHEMA["additionalProperties"] is True
    assert (SCHEMA["properties"]["nests"]["default"], SCHEMA["properties"]["felled_at"]["default"]) == (0, None)


@pytest.mark.parametrize(
    ("field", "schema"),
    [
        ("tree_id", {"type": "string", "format": "uuid"}),
        ("planted", {"type": "string", "format": "date"}),
        ("bell", {"type": "string", "format": "time"}),
        ("age", {"type": "string", "format": "duration"}),
        ("width", {"type": "number"}),
        ("colour", {"enum": ["red", "blue"]}),
        ("size", {"enum": ["big", "small"]}),
        ("rings", {"type": "integer", "minimum": 1, "exclusiveMaximum": 5000}),
        ("owner", {"type": "string", "maxLength": 20, "examples": ["Ada"]}),
        ("bark", {"type": "string", "contentEncoding": "base64"}),
        ("branches", {"type": "array", "items": {"$ref": "#/$defs/Branch"}}),
        ("names", {"type": "object", "additionalProperties": {"type": "string"}}),
        ("doors", {"type": "array", "items": {"type": "integer"}, "default": []}),
        ("counts", {"type": "object", "additionalProperties": {"type": "integer"}, "default": {}}),
        ("marks", {"type": "array", "items": {"type": "string"}, "uniqueItems": True, "default": []}),
        ("number", {"type": "integer"}),
        ("place", {"type": "array", "prefixItems": [{"type": "number"}] * 2, "items": False, "minItems": 2}),
        ("colours", {"type": "array", "items": {"type": "string"}, "uniqueItems": True}),
        ("country", {"type": "string", "examples": ["FR"]}),
    ],
)
def test_each_type_has_its_schema(field: str, schema: dict[str, Any]) -> None:
    assert SCHEMA["properties"][field] == schema


def test_a_struct_may_hold_its_own_class() -> None:
    others = SCHEMA["$defs"]["Branch"]["properties"]["others"]

    assert others["items"] == {"$ref": "#/$defs/Branch"}
    assert SCHEMA["$defs"]["Branch"]["properties"]["length"]["description"] == "centimetres"


def test_docstring_and_comments_become_descriptions_in_words_of_the_wire() -> None:
    first, second = SCHEMA["description"].split("\n")

    assert first == "A tree was seen."
    assert second == "A reader ignores colours that it does not know. `leaf.seen.v1` is another event."
    assert described("felled_at") == "null: it stands"
    assert described("shade") == "of `Colour` (Known words: red, blue.)"


def test_a_type_that_has_no_schema_is_refused_with_the_place_to_add_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(json_schema.PLAIN, msgspec.inspect.UUIDType)

    with pytest.raises(NoSchema, match=r"UUIDType has no JSON Schema: add it to eventbus\.schemas\.json_schema"):
        schema_of(LeafSeen)
