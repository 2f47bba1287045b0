"""Check, when an event is published, that its values have the types and limits that its class declares.

The encoder writes any value that it can. Without the check a number in a text field would be published, and no group
could decode it. NaN and infinity would become null, and an integer could have more bits than other languages read. A
time would be written without its offset, or in another zone than UTC. The check is compiled once for each class, as one
expression over its fields, so that an event costs a fraction of a microsecond.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from itertools import count
from sys import float_info
from typing import Annotated, Any, get_args, get_origin
from uuid import UUID

import msgspec
from msgspec import inspect

from eventbus.errors import WrongFieldType

Check = Callable[[Any], bool]

PLAIN: dict[type[inspect.Type], type] = {
    inspect.StrType: str,
    inspect.BytesType: bytes,
    inspect.BoolType: bool,
    inspect.UUIDType: UUID,
    inspect.TimeType: time,
    inspect.TimeDeltaType: timedelta,
    inspect.DecimalType: Decimal,
}

SEQUENCES: dict[type[inspect.Type], type] = {
    inspect.VarTupleType: tuple,
    inspect.ListType: list,
    inspect.SetType: set,
    inspect.FrozenSetType: frozenset,
}

INT_MIN, INT_MAX = -(2**63), 2**63 - 1  # the integers that every language reads: docs/reference/wire-format.md
# What `msgspec.Meta` limits, and the Python that is true for a value within the limit.
LIMITS = {
    "ge": "{value} >= {limit}",
    "gt": "{value} > {limit}",
    "le": "{value} <= {limit}",
    "lt": "{value} < {limit}",
    "multiple_of": "{value} % {limit} == 0",
    "min_length": "len({value}) >= {limit}",
    "max_length": "len({value}) <= {limit}",
    "pattern": "{limit}({value}) is not None",
}
NOTES = {r"\bint\b": "64 bits at most", r"\bdatetime\b(?!\.)": "aware, in UTC"}  # of a type that an error names

checks: dict[type, Check] = {}  # by class: each is compiled once


def refuse_wrong_types(event: msgspec.Struct) -> None:
    """Raise WrongFieldType, which names the wrong field and the type that it holds."""
    if not _all_fit(event):
        raise WrongFieldType(f"{type(event).__name__}.{_fault(event)}")


def fits(kind: inspect.Type, value: object) -> bool:
    """Return True if a value has this type, and is within the type's limits. It is for errors and tests: it is slow."""
    source = _Source()
    return source.made(source.of(kind, "it"))(value)


def _is_utc(at: Any) -> bool:
    return isinstance(at, datetime) and at.utcoffset() == timedelta()


def _all_fit(struct: msgspec.Struct) -> bool:
    kind = type(struct)
    return (checks.get(kind) or check_of(kind))(struct)


def check_of(kind: type[msgspec.Struct]) -> Check:
    """Return a function that is true for an object whose fields have the types that the class declares.

    The function is compiled when a class is checked for the first time.
    """
    return checks.setdefault(kind, _Source().check_of(kind))


def _check_of_part(kind: type[msgspec.Struct]) -> Check:
    def part_fits(part: Any) -> bool:
        if type(part) is kind:
            return (checks.get(kind) or check_of(kind))(part)
        return isinstance(part, kind) and _all_fit(part)

    return part_fits


class _Source:
    """A builder of a check's Python source. `names` holds the objects that the source refers to by name."""

    def __init__(self) -> None:
        self.names: dict[str, Any] = {}
        self._numbers = count()

    def check_of(self, kind: type[msgspec.Struct]) -> Check:
        fields = inspect.type_info(kind).fields  # type: ignore[attr-defined]
        return self.made(" and ".join([self.of(field.type, f"it.{field.name}") for field in fields]) or "True")

    def made(self, source: str) -> Check:
        check: Check = eval(f"lambda it: {source}", self.names)  # only field names and names from `called`
        return check

    def called(self, value: object) -> str:
        name = f"n{next(self._numbers)}"
        self.names[name] = value
        return name

    def held_by(self, value: str, kind: type | tuple[type, ...]) -> str:
        return f"isinstance({value}, {self.called(kind)})"

    def of(self, kind: inspect.Type, value: str) -> str:
        """Return the source of a Python expression that checks one value.

        `value` is the source of the value, such as `it.order_id`. The expression is true if the value has the type
        `kind` and is within its limits.
        """
        if isinstance(kind, inspect.Metadata):  # examples and a description: they allow the same values
            return self.of(kind.type, value)
        limits = [self.within(name, getattr(kind, name, None), value) for name in LIMITS]
        return f"({' and '.join([self.of_type(kind, value), *filter(None, limits)])})"

    def within(self, name: str, limit: Any, value: str) -> str:
        if limit is None:
            return ""
        used = re.compile(limit).search if name == "pattern" else limit
        return LIMITS[name].format(value=value, limit=self.called(used))

    def of_type(self, kind: inspect.Type, value: str) -> str:
        """Return the source that checks the type alone. It is always true for `Any`, and for types not listed here."""
        if plain := PLAIN.get(type(kind)):
            name = self.called(plain)  # nearly always exactly this class: that test costs half
            return f"(type({value}) is {name} or isinstance({value}, {name}))"
        match kind:
            case inspect.NoneType():
                return f"{value} is None"
            case inspect.IntType():
                return f"({self.number(value, int)} and {INT_MIN} <= {value} <= {INT_MAX})"
            case inspect.DateTimeType():  # nearly always with this zone: the call costs more than all the rest
                usual = f"type({value}) is {self.called(datetime)} and {value}.tzinfo is {self.called(UTC)}"
                return f"({usual} or {self.called(_is_utc)}({value}))"
            case inspect.FloatType():  # NaN is neither more nor less than any number
                largest = self.called(float_info.max)
                return f"({self.number(value, (float, int))} and -{largest} <= {value} <= {largest})"
            case inspect.DateType():  # no datetime, which is a date to isinstance
                return f"({self.held_by(value, date)} and not {self.held_by(value, datetime)})"
            case inspect.EnumType(cls=enum):
                return self.held_by(value, enum)
            case inspect.LiteralType(values=values):
                return f"{value} in {self.called(values)}"
            case inspect.UnionType(types=types):
                return self.one_of(types, value)
            case inspect.StructType(cls=struct):  # by a check of its own: a struct may hold others of its class
                return f"({self.held_by(value, struct)} and {self.called(_all_fit)}({value}))"
            case inspect.CollectionType(item_type=item):
                return self.each(item, value, SEQUENCES[type(kind)])
            case inspect.TupleType(item_types=types):
                parts = [self.of(one, f"{value}[{number}]") for number, one in enumerate(types)]
                return f"({' and '.join([self.held_by(value, tuple), f'len({value}) == {len(types)}', *parts])})"
            case inspect.DictType(key_type=key, value_type=item):
                each = f"{self.of(key, 'k')} and {self.of(item, 'v')}"
                return f"({self.held_by(value, dict)} and all([{each} for k, v in {value}.items()]))"
        return "True"

    def one_of(self, kinds: Iterable[inspect.Type], value: str) -> str:
        none_first = sorted(kinds, key=lambda one: not isinstance(one, inspect.NoneType))  # it is compared fastest
        return f"({' or '.join([self.of(one, value) for one in none_first])})"

    def number(self, value: str, kind: type | tuple[type, ...]) -> str:  # no bool, which is an int to isinstance
        return f"(type({value}) is int or {self.held_by(value, kind)} and type({value}) is not bool)"

    def each(self, item: inspect.Type, value: str, kind: type) -> str:
        if isinstance(item, inspect.StructType):  # a comprehension takes half as long again
            return f"({self.held_by(value, kind)} and all(map({self.called(_check_of_part(item.cls))}, {value})))"
        name = f"i{next(self._numbers)}"
        return f"({self.held_by(value, kind)} and all([{self.of(item, name)} for {name} in {value}]))"


def _fault(struct: msgspec.Struct) -> str:
    """Return a text that names the first wrong field, its type and the declared type. It looks into nested structs.

    The value is left out: it may be something that no log should have.
    """
    for field in inspect.type_info(type(struct)).fields:  # type: ignore[attr-defined]
        value = getattr(struct, field.name)
        if not fits(field.type, value):
            inner = next((part for part in _parts(value) if not fits(inspect.type_info(type(part)), part)), None)
            if inner is not None:
                return f"{field.name}: {type(inner).__name__}.{_fault(inner)}"
            wanted = getattr(type(struct), "__annotations__", {}).get(field.name, field.type)
            return f"{field.name} holds {_written(type(value))}: it must be {_wanted(wanted, field.type)}"
    raise AssertionError("every field fits")


def _parts(value: object) -> list[msgspec.Struct]:
    values = value if isinstance(value, list | tuple | set | frozenset) else [value]
    return [part for part in values if isinstance(part, msgspec.Struct)]


def _written(kind: object) -> str:
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    return kind.__name__ if isinstance(kind, type) else str(kind)


def _wanted(declared: object, kind: inspect.Type) -> str:
    """Return the declared type as it is written in the class, with what the bus and the type's limits want of it."""
    while isinstance(kind, inspect.Metadata):
        kind = kind.type
    written = _written(declared)
    notes = [note for found, note in NOTES.items() if re.search(found, written)]
    notes += [f"{name}={limit!r}" for name in LIMITS if (limit := getattr(kind, name, None)) is not None]
    return re.sub(r"\bfloat\b", "finite float", written) + (f" ({', '.join(notes)})" if notes else "")


def holds_nul(payload: bytes) -> bool:
    """Return True if a text of the payload has U+0000, which not every database can keep."""
    return _any_nul(msgspec.json.decode(payload))


def _any_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, Mapping):
        return any(_any_nul(part) for pair in value.items() for part in pair)
    return isinstance(value, list) and any(_any_nul(part) for part in value)
