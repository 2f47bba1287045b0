"""Each kind of value that an event may hold is told from all others before it leaves."""

from datetime import UTC, date, datetime, timedelta, timezone
from enum import StrEnum
from math import inf, nan
from typing import Annotated, Any, Literal
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import msgspec
import pytest

from eventbus import Event
from eventbus.declaration.field_types import refuse_wrong_types
from eventbus.errors import WrongFieldType


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
    tags: set[str] = set()
    codes: frozenset[int] = frozenset()
    place: tuple[int, str] = (1, "north")
    times: tuple[datetime, ...] = ()
    from_one: Annotated[int, msgspec.Meta(ge=1, le=10)] = 1
    above_zero: Annotated[float, msgspec.Meta(gt=0, lt=1)] = 0.5
    dozens: Annotated[int, msgspec.Meta(multiple_of=12)] = 12
    country: Annotated[str, msgspec.Meta(min_length=2, max_length=2, pattern="^[A-Z]+$", examples=["FR"])] = "FR"
    sizes: Annotated[tuple[int, ...], msgspec.Meta(min_length=1, max_length=2)] = (1,)
    perhaps: Annotated[int, msgspec.Meta(ge=1)] | None = None


FITTING: list[dict[str, Any]] = [
    {},
    {"name": Colour.RED},  # a StrEnum is text
    {"share": 1, "maybe": 3},
    {"share": -1.7e308, "shares": (0.0, 2)},
    {"parts": (Part(pieces=1, within=Part(pieces=2)),), "words": ["a"], "by_name": {"a": {"b": 1}}},
    {"anything": object()},
    {"number": 2**63 - 1, "maybe": -(2**63)},
    {"at": datetime(2026, 11, 25, tzinfo=ZoneInfo("UTC")), "times": (datetime(2026, 11, 25, tzinfo=UTC),)},
    {"tags": {"a", "b"}, "codes": frozenset({1, 2}), "place": (2, "south")},
    {"from_one": 10, "above_zero": 0.999, "dozens": 24, "country": "DE", "sizes": (1, 2), "perhaps": 1},
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
    ({"number": 2**63}, "number holds int: it must be int (64 bits at most)"),
    ({"maybe": -(2**63) - 1}, "maybe holds int: it must be int | None (64 bits at most)"),
    ({"by_name": {"a": {"b": 2**63}}}, "by_name holds dict"),
    ({"at": datetime(2026, 11, 25)}, "at holds datetime: it must be datetime (aware, in UTC)"),
    ({"at": datetime(2026, 11, 25, tzinfo=timezone(timedelta(hours=1)))}, "at holds datetime"),
    ({"times": (datetime(2026, 11, 25),)}, "times holds tuple: it must be tuple[datetime.datetime, ...] (aware"),
    ({"tags": {"a", 1}}, "tags holds set: it must be set[str]"),
    ({"tags": ["a"]}, "tags holds list: it must be set[str]"),
    ({"codes": frozenset({"a"})}, "codes holds frozenset: it must be frozenset[int]"),
    ({"codes": {1}}, "codes holds set: it must be frozenset[int]"),
    ({"place": ("north", 1)}, "place holds tuple: it must be tuple[int, str]"),
    ({"place": (1,)}, "place holds tuple"),
    ({"place": (1, "north", 2)}, "place holds tuple"),
    ({"place": [1, "north"]}, "place holds list"),
    ({"from_one": 0}, "from_one holds int: it must be int (64 bits at most, ge=1, le=10)"),
    ({"from_one": 11}, "from_one holds int"),
    ({"above_zero": 0.0}, "above_zero holds float: it must be finite float (gt=0, lt=1)"),
    ({"above_zero": 1}, "above_zero holds int"),
    ({"dozens": 13}, "dozens holds int: it must be int (64 bits at most, multiple_of=12)"),
    ({"country": "F"}, "country holds str: it must be str (min_length=2, max_length=2, pattern='^[A-Z]+$')"),
    ({"country": "FRA"}, "country holds str"),
    ({"country": "fr"}, "country holds str"),
    ({"sizes": ()}, "sizes holds tuple"),
    ({"sizes": (1, 2, 3)}, "sizes holds tuple"),
    ({"perhaps": 0}, "perhaps holds int"),
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
