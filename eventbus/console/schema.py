"""`schema`: show the declared event types, and the JSON Schema of their data for programs in other languages."""

from collections.abc import Collection
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import msgspec
from django.core.management.base import CommandError

from eventbus.console import EXIT_WRONG_LINE, Actions, Printer
from eventbus.events import KEY_SEPARATOR, Event, declared_events
from eventbus.schemas.json_schema import schema_of

COLUMNS = ("type", "topic", "key")


def add(actions: Actions) -> None:
    """Add the action."""
    text = "the types of events with topic and key; of named types, the JSON Schema (2020-12) of their data"
    asked = actions.add("schema", schema, text)
    asked.add_argument("types", nargs="*", metavar="TYPE", help="a type on the wire, such as order.placed.v1")
    asked.add_argument("--all", action="store_true", help="the schemas of all types, as one JSON array")
    asked.add_argument("--output", type=Path, metavar="DIR", help="write a file TYPE.json for each; without TYPE, all")


def schema(*, printer: Printer, json: bool, types: list[str], all: bool, output: Path | None, **options: Any) -> None:
    """Print the declared types, or print or write the schemas of some or all."""
    declared = {one.wire_type(): one for one in declared_events()}
    if types and all:
        raise CommandError("Name types, or --all.", returncode=EXIT_WRONG_LINE)
    if not types and not all and output is None:
        _list(printer, declared, json)
        return
    _refuse_unknown(types, declared)
    schemas = {name: schema_of(declared[name]) for name in types or sorted(declared)}
    if output is not None:
        _write(printer, output, schemas, json)
    elif len(types) == 1:
        printer.json(schemas[types[0]])
    else:
        printer.json(list(schemas.values()))


def _list(printer: Printer, declared: dict[str, type[Event]], json: bool) -> None:
    rows = [(name, one.topic, KEY_SEPARATOR.join(one.key_fields)) for name, one in sorted(declared.items())]
    if json:
        printer.json([dict(zip(COLUMNS, row, strict=True)) for row in rows])
    else:
        printer.table(COLUMNS, rows)


def _refuse_unknown(types: list[str], declared: Collection[str]) -> None:
    """Raise CommandError for types that no event has, with the nearest names."""
    unknown = [name for name in types if name not in declared]
    if not unknown:
        return
    near = sorted({one for name in unknown for one in get_close_matches(name, declared)})
    hint = f" Nearest: {', '.join(near)}." if near else ""
    text = f"No such type: {', '.join(unknown)}.{hint} See manage.py eventbus schema."
    raise CommandError(text, returncode=EXIT_WRONG_LINE)


def _write(printer: Printer, folder: Path, schemas: dict[str, dict[str, Any]], json: bool) -> None:
    files = {folder / f"{name}.json": one for name, one in schemas.items()}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, one in files.items():
            path.write_bytes(msgspec.json.format(msgspec.json.encode(one), indent=2) + b"\n")
    except OSError as error:
        raise CommandError(f"The schemas cannot be written: {error}. Name another folder.") from error
    if json:
        printer.json([str(path) for path in files])
    else:
        printer.line(f"{len(files)} schemas are in {folder}.")
