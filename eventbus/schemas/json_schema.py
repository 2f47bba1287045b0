"""Make the JSON Schema (2020-12) of an event's data from its class. Readers ignore fields that it does not name."""

from itertools import chain, count
from typing import Any

import msgspec
from msgspec import inspect

from eventbus.events import Event
from eventbus.schemas.descriptions import description_of, field_descriptions

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ID_PREFIX = "urn:eventbus:"  # a name and no address: nothing is fetched from it

Schema = dict[str, Any]

PLAIN: dict[type[inspect.Type], Schema] = {
    inspect.AnyType: {},
    inspect.NoneType: {"type": "null"},
    inspect.BoolType: {"type": "boolean"},
    inspect.IntType: {"type": "integer"},
    inspect.FloatType: {"type": "number"},
    inspect.StrType: {"type": "string"},
    inspect.BytesType: {"type": "string", "contentEncoding": "base64"},
    inspect.UUIDType: {"type": "string", "format": "uuid"},
    inspect.DateTimeType: {"type": "string", "format": "date-time"},
    inspect.DateType: {"type": "string", "format": "date"},
    inspect.TimeType: {"type": "string", "format": "time"},
    inspect.TimeDeltaType: {"type": "string", "format": "duration"},
    inspect.DecimalType: {"type": "string", "pattern": r"^-?[0-9.]+(E[+-]?[0-9]+)?$"},
}
# What `msgspec.Meta` limits. A pattern is left out: other languages write patterns in other ways.
LIMITS = {
    "ge": "minimum",
    "gt": "exclusiveMinimum",
    "le": "maximum",
    "lt": "exclusiveMaximum",
    "min_length": "minLength",
    "max_length": "maxLength",
}


# What msgspec makes of a default such as [] or {}. Other factories, such as a clock, make another value each time.
EMPTY = frozenset({list, dict, set, frozenset, tuple, bytearray})


class NoSchema(TypeError):
    """A field's type has no JSON Schema here."""


class _Nested:
    """The schemas of the structs that an event holds. Structs of one name get numbers: `Line`, `Line2`."""

    def __init__(self) -> None:
        self.schemas: dict[str, Schema] = {}
        self._names: dict[type[msgspec.Struct], str] = {}

    def reference(self, struct: type[msgspec.Struct]) -> Schema:
        """Return a reference to a struct's schema. The name is noted first, since a struct may hold its own class."""
        if struct not in self._names:
            name = self._names[struct] = self._free(struct.__name__)
            self.schemas[name] = {}
            self.schemas[name] |= _struct(struct, self)
        return {"$ref": f"#/$defs/{self._names[struct]}"}

    def _free(self, name: str) -> str:
        names = chain([name], (f"{name}{number}" for number in count(2)))
        return next(one for one in names if one not in self.schemas)


def schema_of(event_type: type[Event]) -> Schema:
    """Return the schema of the data of an event. Raises NoSchema for a field type that is not known here."""
    nested = _Nested()
    told = _struct(event_type, nested)
    wire_type = event_type.wire_type()
    schema = {"$schema": DIALECT, "$id": ID_PREFIX + wire_type, **told, "title": wire_type}
    return schema | ({"$defs": nested.schemas} if nested.schemas else {})


def _struct(kind: type[msgspec.Struct], nested: _Nested) -> Schema:
    comments = field_descriptions(kind)
    fields = inspect.type_info(kind).fields  # type: ignore[attr-defined]
    properties = {}
    for field in fields:
        found = _of(field.type, nested) | _default(field)
        comment = comments.get(field.name)
        properties[field.encode_name] = found | ({"description": comment} if comment else {})
    return {
        "title": kind.__name__,
        "description": description_of(kind),
        "type": "object",
        "properties": properties,
        "required": [field.encode_name for field in fields if field.required],
        "additionalProperties": True,
    }


def _default(field: inspect.Field) -> Schema:
    if field.default_factory in EMPTY:
        return {"default": msgspec.to_builtins(field.default_factory())}
    return {} if field.default is msgspec.NODEFAULT else {"default": msgspec.to_builtins(field.default)}


def _of(kind: inspect.Type, nested: _Nested) -> Schema:
    if (plain := PLAIN.get(type(kind))) is not None:
        return plain | _limits(kind)
    match kind:
        case inspect.Metadata(type=inner, extra_json_schema=extra):
            return _of(inner, nested) | (extra or {})
        case inspect.EnumType(cls=enum):
            return {"enum": [one.value for one in enum]}
        case inspect.LiteralType(values=values):
            return {"enum": list(values)}
        case inspect.UnionType(types=types):
            return {"anyOf": [_of(one, nested) for one in types]}
        case inspect.VarTupleType(item_type=item) | inspect.ListType(item_type=item):
            return {"type": "array", "items": _of(item, nested)}
        case inspect.SetType(item_type=item) | inspect.FrozenSetType(item_type=item):
            return {"type": "array", "items": _of(item, nested), "uniqueItems": True}
        case inspect.TupleType(item_types=types):
            items = [_of(one, nested) for one in types]
            return {"type": "array", "prefixItems": items, "items": False, "minItems": len(items)}
        case inspect.DictType(value_type=value):
            return {"type": "object", "additionalProperties": _of(value, nested)}
        case inspect.StructType(cls=struct):
            return nested.reference(struct)
    raise NoSchema(f"{type(kind).__name__} has no JSON Schema: add it to {__name__}, or use another type in the event")


def _limits(kind: inspect.Type) -> Schema:
    if not isinstance(kind, inspect.IntType | inspect.FloatType | inspect.StrType):
        return {}
    found = {keyword: getattr(kind, name, None) for name, keyword in LIMITS.items()}
    return {keyword: limit for keyword, limit in found.items() if limit is not None}
