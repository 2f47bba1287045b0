"""`sample`: an event of any class, valid as it is, for tests of one module alone."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import pytest
from django.db import transaction

from eventbus import Event, publish
from eventbus.errors import WrongFieldType
from eventbus.events import declared_events, decode
from eventbus.models import OutboxRow
from eventbus.testing import published_events, sample
from mcommerce.events import OrderedLine, OrderPaid
from stations.events import StationChanged

LIMITS: list[tuple[Any, Any]] = [
    (Annotated[int, msgspec.Meta(gt=10)], 11),
    (Annotated[int, msgspec.Meta(le=-3)], -3),
    (Annotated[int, msgspec.Meta(lt=0)], -1),
    (Annotated[int, msgspec.Meta(ge=0, le=5)], 1),
    (Annotated[int, msgspec.Meta(gt=10, multiple_of=12)], 12),
    (Annotated[float, msgspec.Meta(gt=0, lt=0.5)], 0.25),
    (Annotated[float, msgspec.Meta(gt=1)], 2.0),
    (Annotated[int, msgspec.Meta(ge=7)] | None, None),
    (Annotated[str, msgspec.Meta(min_length=7)], "fieldfi"),
    (Annotated[str, msgspec.Meta(max_length=2)], "fi"),
    (Annotated[bytes, msgspec.Meta(max_length=2)], b"fi"),
    (Annotated[str, msgspec.Meta(pattern="^[a-z]+$")], "field"),
    (Annotated[str, msgspec.Meta(pattern="^[A-Z]{2}$", examples=["FR"])], "FR"),
    (Annotated[list[str], msgspec.Meta(min_length=2)], ["field", "2field"]),
    (Annotated[set[str], msgspec.Meta(min_length=2)], {"field", "2field"}),
    (Annotated[tuple[int, ...], msgspec.Meta(max_length=0)], ()),
    (Annotated[dict[str, int], msgspec.Meta(min_length=2)], {"field": 1, "2field": 1}),
]

NOON = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Branch(msgspec.Struct, frozen=True, kw_only=True):
    length: float
    branches: tuple["Branch", ...]


class Kinds(Event, name="test.kinds", topic="test", key=("word", "identity")):
    """A field of each kind that an event may have."""

    word: str
    number: int
    share: float
    known: bool
    raw: bytes
    price: Decimal
    identity: UUID
    at: datetime
    day: date
    hour: time
    span: timedelta
    colour: Colour
    letter: Literal["a", "b"]
    maybe: Branch | None
    either: int | str
    tree: Branch
    pair: tuple[int, str]
    words: list[str]
    colours: frozenset[Colour]
    by_language: dict[str, str]
    currency: Annotated[str, msgspec.Meta(examples=["EUR"])]
    anything: Any
    kept: int = 7
    made: list[int] = []


def test_each_kind_of_field_gets_a_value_that_fits(bus_clock: Any) -> None:
    bus_clock.hold(NOON)

    made = sample(Kinds)

    assert (made.word, made.number, made.share, made.known, made.raw) == ("word", 1, 1.0, False, b"raw")
    assert (made.price, made.at, made.day, made.span) == (Decimal(1), NOON, NOON.date(), timedelta(minutes=1))
    assert (made.colour, made.letter, made.maybe, made.either) == (Colour.RED, "a", None, 1)
    assert made.tree == Branch(length=1.0, branches=())
    assert (made.pair, made.words, made.colours) == ((1, "pair"), ["words"], frozenset({Colour.RED}))
    assert (made.by_language, made.currency) == ({"by_language": "by_language"}, "EUR")
    assert (made.kept, made.made) == (7, [])


def test_fields_named_are_taken_and_the_others_filled() -> None:
    lines = (sample(OrderedLine, quantity=3),)

    paid = sample(OrderPaid, amount=1_900, lines=lines)

    assert (paid.amount, paid.lines, paid.currency) == (1_900, lines, "EUR")
    assert sample(StationChanged, bikes=4).bikes == 4


def test_a_field_that_the_event_lacks_is_refused_with_those_that_it_has() -> None:
    with pytest.raises(TypeError, match=r"OrderPaid has no field amuont\. It has: order_id, order_number"):
        sample(OrderPaid, amuont=1)


@pytest.mark.parametrize(
    ("wrong", "error"),
    [({"amount": "1900"}, WrongFieldType), ({"lines": [sample(OrderedLine)]}, WrongFieldType)],
)
def test_a_value_of_another_type_is_refused_at_once(wrong: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=next(iter(wrong))):
        sample(OrderPaid, **wrong)


@pytest.mark.django_db
@pytest.mark.parametrize("event_type", declared_events(), ids=lambda one: one.__name__)
def test_a_sample_of_every_event_is_published_and_read_again(event_type: type[Event]) -> None:
    made = sample(event_type)

    with transaction.atomic():
        publish(made)

    assert published_events(event_type) == [made]
    assert decode(bytes(OutboxRow.objects.get().payload), event_type) == made


@pytest.mark.parametrize(("kind", "value"), LIMITS)
def test_a_value_is_made_within_the_limits_of_its_type(kind: Any, value: Any) -> None:
    limited = msgspec.defstruct("Limited", [("field", kind)])

    assert sample(limited).field == value  # type: ignore[attr-defined]


def test_a_time_is_aware_and_in_utc() -> None:
    assert sample(Kinds).at.utcoffset() == sample(Kinds).hour.utcoffset() == timedelta()
