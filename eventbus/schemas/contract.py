"""The contract of the events: their shapes as readers outside know them, and changes that those do not understand.

A contract is plain JSON, so that a site can keep it in a file beside its code.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from eventbus.declaration.upcasting import readable_types
from eventbus.events import KEY_SEPARATOR, Event
from eventbus.schemas.json_schema import Schema, schema_of

TEXTS = ("title", "description")  # they may change at any time
NEW_VERSION = (
    "Declare it with version={next}, and upcasts={{{version}: ...}} from the old data: docs/reference/bus.md, "
    "A new version of an event."
)
MISSING = object()

Contract = dict[str, dict[str, Any]]


def contract_of(events: Mapping[str, type[Event]]) -> Contract:
    """Return the contract of these events, by wire type. `reads`: the older types that the class upcasts."""
    return {
        name: {
            "topic": one.topic,
            "key": KEY_SEPARATOR.join(one.key_fields),
            "reads": [kind for kind in readable_types(one) if kind != name],
            "data": _shape(schema := schema_of(one), schema.get("$defs", {}), ()),
        }
        for name, one in sorted(events.items())
    }


def _shape(schema: Schema, structs: Mapping[str, Schema], above: tuple[str, ...]) -> Schema:
    """Return the schema without its texts, with each struct where it is used. One inside itself keeps its name."""
    if name := schema.get("$ref", "").rpartition("/")[2]:
        if name in above:
            return {"inside": name}
        return {**_shape(structs[name], structs, (*above, name)), **_own(schema)}
    shape: Schema = _own(schema)
    for keyword in ("properties", "anyOf", "prefixItems"):
        if isinstance(found := schema.get(keyword), dict):
            shape[keyword] = {field: _shape(one, structs, above) for field, one in sorted(found.items())}
        elif found:
            shape[keyword] = [_shape(one, structs, above) for one in found]
    for keyword in ("items", "additionalProperties"):
        if isinstance(schema.get(keyword), dict):
            shape[keyword] = _shape(schema[keyword], structs, above)
    return shape


def _own(schema: Schema) -> Schema:
    left_out = {*TEXTS, "$ref", "$schema", "$id", "$defs", "properties", "anyOf", "prefixItems", "items"}
    kept = {key: value for key, value in schema.items() if key not in left_out and key != "additionalProperties"}
    return kept | ({"required": sorted(kept["required"])} if "required" in kept else {})


def breaks(old: Contract, new: Contract) -> Iterator[str]:
    """Yield a sentence with the remedy for each change that readers of the old contract do not understand."""
    readable = {kind for one in new.values() for kind in one["reads"]}
    for name, was in old.items():
        if name not in new:
            if name not in readable:
                yield (
                    f"{name} is gone, and records of it may still lie in the log: keep its class, or let the class of "
                    "its next version read it by upcasts=."
                )
            continue
        now = new[name]
        changes = [f"{what} was {was[what]}, and is {now[what]}" for what in ("topic", "key") if was[what] != now[what]]
        changes += _changes("", was["data"], now["data"])
        changes += [f"it no longer reads {kind}" for kind in was["reads"] if kind not in now["reads"]]
        version = int(name.rpartition(".v")[2])
        remedy = NEW_VERSION.format(version=version, next=version + 1)
        yield from (f"{name}: {change}. {remedy}" for change in changes)


def _changes(path: str, was: Schema, now: Schema) -> Iterator[str]:
    """Yield the incompatible changes of a shape. `path`: its field, as "lines.quantity"."""
    if "properties" in was and "properties" in now:
        yield from _changed_fields(path, was, now)
        return
    if "items" in was and "items" in now and _rest(was) == _rest(now):
        yield from _changes(f"{path}[]", was["items"], now["items"])
        return
    choices, others = was.get("anyOf"), now.get("anyOf")
    if choices and others and len(choices) == len(others) and _rest(was) == _rest(now):
        for one, other in zip(choices, others, strict=True):
            yield from _changes(path, one, other)
        return
    if was != now:
        yield f"the type of {path} changed"


def _changed_fields(path: str, was: Schema, now: Schema) -> Iterator[str]:
    before, after = was["properties"], now["properties"]
    for field in before:
        name = f"{path}.{field}".lstrip(".")
        if field not in after:
            yield f"the field {name} is gone"
            continue
        if before[field].get("default", MISSING) != after[field].get("default", MISSING):
            yield f"the default of {name} changed, and old events without it would mean something else"
        yield from _changes(name, _undefaulted(before[field]), _undefaulted(after[field]))
    for field in after:
        name = f"{path}.{field}".lstrip(".")
        if field not in before and field in now["required"]:
            yield f"the new field {name} has no default, and old events do not have it"


def _undefaulted(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if key != "default"}


def _rest(schema: Schema) -> Schema:
    return {key: value for key, value in schema.items() if key not in {"items", "anyOf"}}


def differences(old: Contract, new: Contract) -> list[str]:
    """Return the types whose entries differ in any way, sorted."""
    return sorted(name for name in {*old, *new} if old.get(name) != new.get(name))


def merged(old: Contract, new: Contract, replaced: Iterable[str] = ()) -> Contract:
    """Return the new contract, with the old versions that are still read.

    `replaced`: types whose old entry is dropped, since nobody has deployed it.
    """
    kept = {kind for one in new.values() for kind in one["reads"]} - set(replaced)
    return dict(sorted(({name: old[name] for name in kept if name in old} | new).items()))
