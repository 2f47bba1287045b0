"""Events for tests, with a valid value in each field."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

import msgspec
from msgspec import inspect

from eventbus import clock
from eventbus.events import decode
from eventbus.field_types import refuse_wrong_types
from eventbus.ids import uuid7

S = TypeVar("S", bound=msgspec.Struct)

# A value of each plain type. Texts are the name of their field, so that a failed assertion shows where one came from.
PLAIN: dict[type[inspect.Type], Callable[[str], Any]] = {
    inspect.AnyType: lambda name: name,
    inspect.StrType: lambda name: name,
    inspect.BytesType: lambda name: name.encode(),
    inspect.BoolType: lambda name: False,
    inspect.IntType: lambda name: 1,
    inspect.FloatType: lambda name: 1.0,
    inspect.DecimalType: lambda name: Decimal(1),
    inspect.UUIDType: lambda name: uuid7(),
    inspect.DateTimeType: lambda name: _now(),
    inspect.DateType: lambda name: _today(),
    inspect.TimeType: lambda name: _now().timetz(),
    inspect.TimeDeltaType: lambda name: timedelta(minutes=1),
    inspect.NoneType: lambda name: None,
}
SEQUENCES: dict[type[inspect.Type], type] = {
    inspect.VarTupleType: tuple,
    inspect.ListType: list,
    inspect.SetType: set,
    inspect.FrozenSetType: frozenset,
}


def sample(kind: type[S], /, **fields: Any) -> S:
    """Return an event of this class with the given fields, and a valid value in each other one.

    A field with a default keeps it. Otherwise the field's type decides: an id is a new UUID, a time is now in UTC by
    the bus's clock, a text is the field's name, a number is 1, an optional value is None, an enum or Literal its first
    value, a collection holds one item. `Meta(examples=[...])` in a field's type names a better value.
    `kind` may also be a struct that events hold, such as an order's line.
    Raises TypeError for an unknown field or one whose type it cannot make, WrongFieldType for a value of another type,
    and msgspec.ValidationError for a value that breaks a limit of its type.
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
        if plain := PLAIN.get(type(kind)):
            return plain(name)
        match kind:
            case inspect.Metadata(type=inner, extra_json_schema=schema):
                examples = (schema or {}).get("examples")
                return examples[0] if examples else self.value(inner, name)
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
                return SEQUENCES[type(kind)](self.items(item, name))
            case inspect.DictType(key_type=key, value_type=value):
                return {self.value(key, name): one for one in self.items(value, name)}
        raise TypeError(f"sample cannot make a value of {self.field}: name it as a keyword")

    def items(self, kind: inspect.Type, name: str) -> list[Any]:
        """Return a list of one item. It is empty if the item is one of the structs around the field."""
        if isinstance(kind, inspect.StructType) and kind.cls in self.within:
            return []
        return [self.value(kind, name)]


def _now() -> datetime:
    return clock.now().astimezone(UTC)


def _today() -> date:
    return _now().date()
