"""Make an example of an event's data from its JSON Schema, the same one each time."""

from typing import Any

from eventbus.schemas.json_schema import Schema

BY_FORMAT = {
    "uuid": "0197b6c2-3b5e-7c11-9f6e-0d5a52c8f0aa",
    "date-time": "2026-12-02T09:30:00Z",
    "date": "2026-12-02",
    "time": "09:30:00Z",
    "duration": "PT1M",
}
DEPTH_MAX = 6  # of values in values: a struct may hold its own kind


def example_of(schema: Schema) -> Any:
    """Return data that fits this schema: `examples` and defaults first, else a plain value of each type."""
    return _value(schema, schema.get("$defs", {}), "", DEPTH_MAX)


def _value(schema: Schema, defs: dict[str, Schema], name: str, depth: int) -> Any:
    for wanted in ("examples", "enum"):
        if schema.get(wanted):
            return schema[wanted][0]
    if "default" in schema:
        return schema["default"]
    if "$ref" in schema:
        return _value(defs[schema["$ref"].rpartition("/")[2]], defs, name, depth)
    if "anyOf" in schema:
        return _value(schema["anyOf"][0], defs, name, depth)
    match schema.get("type"):
        case "object" if depth:
            fields = schema.get("properties", {}).items()
            return {field: _value(one, defs, field, depth - 1) for field, one in fields}
        case "array" if depth:
            items = schema.get("prefixItems") or [schema["items"]]
            return [_value(one, defs, name, depth - 1) for one in items]
        case "object" | "array" | "null" as empty:
            return {"object": {}, "array": []}.get(empty)
        case "boolean":
            return False
        case "integer" | "number":
            return _number(schema)
    return BY_FORMAT.get(schema.get("format", ""), _sized(name or "text", schema))


def _number(schema: Schema) -> Any:
    """Return 1, or the number nearest to it within the limits."""
    low, high = schema.get("minimum"), schema.get("maximum")
    if low is None and "exclusiveMinimum" in schema:
        low = schema["exclusiveMinimum"] + 1
    if high is None and "exclusiveMaximum" in schema:
        high = schema["exclusiveMaximum"] - 1
    return min(max(1, low if low is not None else 1), high if high is not None else max(1, low or 1))


def _sized(text: str, schema: Schema) -> str:
    longest = schema.get("maxLength", len(text))
    return text.ljust(schema.get("minLength", 0), "x")[: max(longest, schema.get("minLength", 0))]
