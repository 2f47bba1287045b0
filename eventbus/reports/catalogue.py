"""List the events of the site, with who publishes each and which groups handle it, as the code says."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
from django.apps import apps

from eventbus import registry
from eventbus.events import KEY_SEPARATOR
from eventbus.schemas.descriptions import description_of
from eventbus.schemas.examples import example_of
from eventbus.schemas.json_schema import schema_of
from eventbus.schemas.site_events import site_events

MADE = re.compile(r"(?<!class )\b([A-Z]\w+)\(")  # an object of a class is made


class Entry(msgspec.Struct, frozen=True):
    """An event: its names, its documents, and who is concerned. `publishers` are labels of apps."""

    type: str
    name: str
    version: int
    topic: str
    key: str
    module: str
    description: str
    publishers: list[str]
    groups: list[str]


def entries() -> list[Entry]:
    """Return every event of the site, by topic and type."""
    published = publishers()
    found = [
        Entry(
            type=wire_type,
            name=one.wire_name,
            version=one.wire_version,
            topic=one.topic,
            key=KEY_SEPARATOR.join(one.key_fields),
            module=f"{one.__module__}.{one.__name__}",
            description=description_of(one).partition("\n")[0].replace("`", ""),
            publishers=sorted(published.get(wire_type, ())),
            groups=sorted(name for name, group in registry.groups.items() if wire_type in group.handlers),
        )
        for wire_type, one in site_events().items()
    ]
    return sorted(found, key=lambda entry: (entry.topic, entry.type))


def schema(wire_type: str) -> dict[str, Any]:
    """Return the JSON Schema of an event's data. Raises KeyError for an unknown type."""
    return schema_of(site_events()[wire_type])


def example(wire_type: str) -> Any:
    """Return an example of an event's data. Raises KeyError for an unknown type."""
    return example_of(schema(wire_type))


@cache  # the code does not change while a process runs
def publishers() -> dict[str, set[str]]:
    """Return, by wire type, the labels of the apps whose code makes such an event."""
    events = {one.__name__: wire_type for wire_type, one in site_events().items()}
    packages = {one.__module__.partition(".")[0] for one in site_events().values()}
    found: dict[str, set[str]] = {}
    for label, file in _sources(packages):
        for name in set(MADE.findall(file.read_text(encoding="utf-8"))) & events.keys():
            found.setdefault(events[name], set()).add(label)
    return found


def _sources(packages: set[str]) -> Iterator[tuple[str, Path]]:
    """Yield the source files of the apps in these packages, each with the label of its innermost app."""
    ours = [config for config in apps.get_app_configs() if config.name.partition(".")[0] in packages]
    folders = {Path(config.path): config.label for config in ours}
    for folder, label in folders.items():
        for file in folder.rglob("*.py"):
            if next(one for one in file.parents if one in folders) == folder and "migrations" not in file.parts:
                yield label, file
