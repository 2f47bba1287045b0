"""Each kind of value that an event may hold is told from all others before it leaves."""

from datetime import UTC, date, datetime
from enum import StrEnum
from math import inf, nan
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4

import msgspec
import pytest

from eventbus import Event
from eventbus.errors import WrongFieldType
from eventbus.field_types import refuse_wrong_types


class Colour(StrEnum):
    RED = "red"


class Part(msgspec.Struct, frozen=True, kw_only=True):
    pieces: int
    within: "Part | None" = None


class Everything(Event, name="test.everything", topic="test", key="name"):
    name: str = "vase"
    number: int = 1
    share: float = 0.5
    known: bool = True
    identity: UUID = uuid4()
    at: datetime = datetime(2026, 11, 25, tzinfo=UTC)
    day: date = date(2026, 11, 25)
    colour: Colour = Colour.RED
    kind: Literal["a", "b"] = "a"
    maybe: int | None = None
    parts: tuple[Part, ...] = ()
    words: list[str] = []
    by_name: dict[str, dict[str, int]] = {}
    shares: tuple[float, ...] = ()
    currency: Annotated[str, msgspec.Meta(examples=["EUR"])] = "EUR"
    anything: Any = None


FITTING: list[dict[str, Any]] = [
    {},
    {"name": Colour.RED},  # a StrEnum is text
    {"share": 1, "maybe": 3},
    {"share": -1.7e308, "shares": (0.0, 2)},
    {"parts": (Part(pieces=1, within=Part(pieces=2)),), "words": ["a"], "by_name": {"a": {"b": 1}}},
    {"anything": object()},
]
WRONG: list[tuple[dict[str, Any], str]] = [
    ({"name": b"vase"}, "name holds bytes: it must be str"),
    ({"number": 1.0}, "number holds float: it must be int"),
    ({"currency": 978}, "currency holds int: it must be str"),
    ({"number": False}, "number holds bool: it must be int"),
    ({"share": "0.5"}, "share holds str: it must be finite float"),
    ({"share": True}, "share holds bool"),
    ({"share": nan}, "share holds float: it must be finite float"),
    ({"share": inf}, "share holds float: it must be finite float"),
    ({"share": -inf}, "share holds float: it must be finite float"),
    ({"share": 10**400}, "share holds int: it must be finite float"),
    ({"shares": (0.5, nan)}, "shares holds tuple: it must be tuple[finite float, ...]"),
    ({"known": 1}, "known holds int: it must be bool"),
    ({"identity": str(uuid4())}, "identity holds str: it must be UUID"),
    ({"at": "2026-11-25"}, "at holds str: it must be datetime"),
    ({"day": datetime(2026, 11, 25, tzinfo=UTC)}, "day holds datetime: it must be date"),
    ({"colour": "red"}, "colour holds str: it must be Colour"),
    ({"kind": "c"}, "kind holds str"),
    ({"maybe": "3"}, "maybe holds str: it must be int | None"),
    ({"parts": [Part(pieces=1)]}, "parts holds list"),
    ({"parts": (Part(pieces="1"),)}, "parts: Part.pieces holds str: it must be int"),
    ({"words": ["a", 1]}, "words holds list: it must be list[str]"),
    ({"by_name": {"a": {"b": "1"}}}, "by_name holds dict"),
]


@pytest.mark.parametrize("values", FITTING)
def test_what_fits_is_let_through(values: dict[str, Any]) -> None:
    refuse_wrong_types(Everything(**values))


@pytest.mark.parametrize(("values", "complaint"), WRONG)
def test_what_does_not_fit_is_named(values: dict[str, Any], complaint: str) -> None:
    with pytest.raises(WrongFieldType) as refused:
        refuse_wrong_types(Everything(**values))

    assert str(refused.value).startswith(f"Everything.{complaint}")


def test_a_complaint_has_nothing_of_the_value() -> None:
    with pytest.raises(WrongFieldType) as refused:
        refuse_wrong_types(Everything(number="ada@example.com"))

    assert "ada" not in str(refused.value)
