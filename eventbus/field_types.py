"""Check, when an event is published, that its values have the types that its class declares.

The encoder writes any value that it can. Without the check a number in a text field would be published, and no group
could decode it. NaN and infinity would become null, and an integer could be larger than any float. The check is
compiled once for each class, as one expression over its fields, so that an event costs a fraction of a microsecond.
"""

import re
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
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
    inspect.DateTimeType: datetime,
    inspect.TimeType: time,
    inspect.TimeDeltaType: timedelta,
    inspect.DecimalType: Decimal,
    inspect.NoneType: type(None),
}

checks: dict[type, Check] = {}  # by class: `publish` looks here itself, since a call takes as long as a check


def refuse_wrong_types(event: msgspec.Struct) -> None:
    """Raise WrongFieldType, which names the wrong field and the type that it holds."""
    kind = type(event)
    if not (checks.get(kind) or check_of(kind))(event):
        raise WrongFieldType(f"{type(event).__name__}.{_fault(event)}")


def _all_fit(struct: msgspec.Struct) -> bool:
    kind = type(struct)
    return (checks.get(kind) or check_of(kind))(struct)


def check_of(kind: type[msgspec.Struct]) -> Check:
    """Return a function that is true for an object whose fields have the types that the class declares.

    The function is compiled when a class is checked for the first time.
    """
    return checks.setdefault(kind, _Source().check_of(kind))


def _check_of_part(kind: type[msgspec.Struct]) -> Check:
    def fits(part: Any) -> bool:
        if type(part) is kind:
            return (checks.get(kind) or check_of(kind))(part)
        return isinstance(part, kind) and _all_fit(part)

    return fits


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
        `kind`. It is always true for a type that is not listed here: the encoder refuses what it cannot write.
        """
        if plain := PLAIN.get(type(kind)):
            name = self.called(plain)  # nearly always exactly this class: that test costs half
            return f"(type({value}) is {name} or isinstance({value}, {name}))"
        match kind:
            case inspect.Metadata(type=inner):  # examples and a description: they allow the same values
                return self.of(inner, value)
            case inspect.IntType():
                return self.number(value, int)
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
                return "(" + " or ".join(self.of(one, value) for one in types) + ")"
            case inspect.StructType(cls=struct):  # by a check of its own: a struct may hold others of its class
                return f"({self.held_by(value, struct)} and {self.called(_all_fit)}({value}))"
            case inspect.VarTupleType(item_type=item):
                return self.each(item, value, tuple)
            case inspect.ListType(item_type=item):
                return self.each(item, value, list)
            case inspect.DictType(key_type=key, value_type=item):
                each = f"{self.of(key, 'k')} and {self.of(item, 'v')}"
                return f"({self.held_by(value, dict)} and all([{each} for k, v in {value}.items()]))"
        return "True"

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
        if not _fits(field.type, value):
            inner = next((part for part in _parts(value) if not _fits(inspect.type_info(type(part)), part)), None)
            if inner is not None:
                return f"{field.name}: {type(inner).__name__}.{_fault(inner)}"
            wanted = getattr(type(struct), "__annotations__", {}).get(field.name, field.type)
            return f"{field.name} holds {_written(type(value))}: it must be {_finite(_written(wanted))}"
    raise AssertionError("every field fits")


def _fits(kind: inspect.Type, value: object) -> bool:
    source = _Source()
    return source.made(source.of(kind, "it"))(value)


def _parts(value: object) -> list[msgspec.Struct]:
    values = value if isinstance(value, list | tuple) else [value]
    return [part for part in values if isinstance(part, msgspec.Struct)]


def _written(kind: object) -> str:
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    return kind.__name__ if isinstance(kind, type) else str(kind)


def _finite(wanted: str) -> str:
    return re.sub(r"\bfloat\b", "finite float", wanted)
