"""Events for tests, with a valid value in each field."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from math import ceil, floor
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from eventbus import clock
from eventbus.declaration.field_types import SEQUENCES, fits, refuse_wrong_types
from eventbus.events import decode
from eventbus.ids import uuid7

S = TypeVar("S", bound=msgspec.Struct)
T = TypeVar("T", str, bytes)

# A value of each plain type. Texts are the name of their field, so that a failed assertion shows where one came from.
PLAIN: dict[type[inspect.Type], Callable[[str], Any]] = {
    inspect.AnyType: lambda name: name,
    inspect.BoolType: lambda name: False,
    inspect.DecimalType: lambda name: Decimal(1),
    inspect.UUIDType: lambda name: uuid7(),
    inspect.DateTimeType: lambda name: _now(),
    inspect.DateType: lambda name: _today(),
    inspect.TimeType: lambda name: _now().timetz(),
    inspect.TimeDeltaType: lambda name: timedelta(minutes=1),
    inspect.NoneType: lambda name: None,
}


def sample(kind: type[S], /, **fields: Any) -> S:
    """Return an event of this class with the given fields, and a valid value in each other one.

    A field with a default keeps it. Otherwise the field's type decides: an id is a new UUID, a time is now in UTC by
    the bus's clock, a text is the field's name, a number is 1, an optional value is None, an enum or Literal its first
    value, a collection holds one item. A number, a text or a collection keeps the limits of its type, such as
    `Meta(ge=10)`. `Meta(examples=[...])` in a field's type names a better value, and a pattern needs one.
    `kind` may also be a struct that events hold, such as an order's line.
    Raises TypeError for an unknown field or one whose value it cannot make, and WrongFieldType for a given value of
    another type or beyond the type's limits.
    """
    known = inspect.type_info(kind).fields  # type: ignore[attr-defined]
    if unknown := sorted(fields.keys() - {field.name for field in known}):
        names = ", ".join(field.name for field in known)
        raise TypeError(f"{kind.__name__} has no field {', '.join(unknown)}. It has: {names}")
    made = kind(**_fields(kind, fields, ()))
    refuse_wrong_types(made)
    decode(msgspec.json.encode(made), kind)  # type: ignore[type-var]  # as its handlers will
    return made


def _fields(kind: type, given: dict[str, Any], within: tuple[type, ...]) -> dict[str, Any]:
    """Return the given fields, and a value for each other one without a default."""
    wanted = inspect.type_info(kind).fields  # type: ignore[attr-defined]
    made = {}
    for field in wanted:
        if field.required and field.name not in given:
            made[field.name] = _Maker(f"{kind.__name__}.{field.name}", (*within, kind)).value(field.type, field.name)
    return made | given


class _Maker:
    """The maker of a value for one field. `within`: the structs around the field, which it does not nest once more."""

    def __init__(self, field: str, within: tuple[type, ...]) -> None:
        self.field, self.within = field, within

    def value(self, kind: inspect.Type, name: str) -> Any:
        made = self.made(kind, name)
        if not fits(kind, made):
            raise TypeError(
                f"sample finds no value of {self.field} within its limits: name it as a keyword, "
                "or write one into its type: Meta(examples=[...])"
            )
        return made

    def made(self, kind: inspect.Type, name: str) -> Any:
        if plain := PLAIN.get(type(kind)):
            return plain(name)
        match kind:
            case inspect.Metadata(type=inner, extra_json_schema=schema):
                examples = (schema or {}).get("examples")
                return examples[0] if examples else self.value(inner, name)
            case inspect.IntType() | inspect.FloatType():
                return _number(kind)
            case inspect.StrType():
                return _sized(name, kind)
            case inspect.BytesType():
                return _sized(name.encode(), kind)
            case inspect.EnumType(cls=enum):
                return next(iter(enum))
            case inspect.LiteralType(values=values):
                return values[0]
            case inspect.UnionType(types=types):
                return None if kind.includes_none else self.value(types[0], name)
            case inspect.StructType(cls=struct):
                return struct(**_fields(struct, {}, self.within))
            case inspect.TupleType(item_types=types):
                return tuple(self.value(one, name) for one in types)
            case inspect.CollectionType(item_type=item):
                return SEQUENCES[type(kind)](self.items(item, name, kind))
            case inspect.DictType(key_type=key, value_type=value):
                return dict(zip(self.items(key, name, kind), self.items(value, name, kind), strict=True))
        raise TypeError(f"sample cannot make a value of {self.field}: name it as a keyword")

    def items(self, kind: inspect.Type, name: str, of: inspect.CollectionType | inspect.DictType) -> list[Any]:
        """Return a list of one item, or of as many as the limits want. Texts in it are different.

        It is empty if the item is one of the structs around the field.
        """
        item = of.value_type if isinstance(of, inspect.DictType) else kind
        if isinstance(item, inspect.StructType) and item.cls in self.within:
            return []
        longest = 1 if of.max_length is None else of.max_length
        number = max(of.min_length or 0, min(1, longest))
        return [self.value(kind, name if place == 1 else f"{place}{name}") for place in range(1, number + 1)]


def _number(kind: inspect.IntType | inspect.FloatType) -> float:
    """Return 1, or a number near a limit of this type, or between its limits. It is 1 too if none of them fits."""
    whole = isinstance(kind, inspect.IntType)
    low = next((one for one in (kind.ge, kind.gt) if one is not None), None)
    high = next((one for one in (kind.le, kind.lt) if one is not None), None)
    tries: list[float] = [1]
    if low is not None:
        tries += [low, low + 1]
    if high is not None:
        tries += [high, high - 1]
    if low is not None and high is not None:
        tries.append((low + high) // 2 if whole else (low + high) / 2)
    if step := kind.multiple_of:
        tries += [rounded(one / step) * step for one in tries for rounded in (ceil, floor)]
    numbers = tries if whole else list(map(float, tries))
    return next((one for one in numbers if fits(kind, one)), numbers[0])


def _sized(text: T, kind: inspect.StrType | inspect.BytesType) -> T:
    """Return the text, repeated or cut if the limits of its type want that."""
    wanted = max(len(text), kind.min_length or 0)
    return (text * wanted)[: wanted if kind.max_length is None else min(wanted, kind.max_length)]


def _now() -> datetime:
    return clock.now().astimezone(UTC)


def _today() -> date:
    return _now().date()
