"""`asyncapi` and `contract`: describe the events for others, and refuse changes that those would not understand."""

from pathlib import Path
from typing import Any

import msgspec
from django.apps import apps
from django.core.management.base import CommandError

from eventbus import backends, registry
from eventbus.backends.topics import TopicSpec
from eventbus.console import EXIT_WRONG_LINE, Actions, Printer
from eventbus.schemas.asyncapi import BINDING, Channel, document
from eventbus.schemas.contract import Contract, breaks, contract_of, differences, merged
from eventbus.schemas.site_events import site_events

TITLE, VERSION = "Mcommerce", "1.0.0"  # of the document; events have versions of their own


def add(actions: Actions) -> None:
    """Add the actions."""
    actions.add("asyncapi", asyncapi, "the AsyncAPI 3.0 document of the site's topics and events, as JSON")
    asked = actions.add("contract", contract, "compare the events with a contract file; 1 if they differ")
    asked.add_argument("file", type=Path, metavar="FILE", help="the contract, such as docs/reference/contract.json")
    asked.add_argument("--write", action="store_true", help="write the file anew, unless a change is incompatible")
    text = "with --write: nobody has deployed this type yet, so it may change in any way; may be repeated"
    asked.add_argument("--undeployed", action="append", default=[], metavar="TYPE", help=text)


def asyncapi(*, printer: Printer, **options: Any) -> None:
    """Print the document. It needs no broker."""
    events = site_events()
    channels = {topic: _channel(topic) for topic in {one.topic for one in events.values()}}
    printer.json(document(events, channels, title=TITLE, version=VERSION))


def _channel(topic: str) -> Channel:
    shape = backends.current().topics
    address = shape.name(topic) if shape else topic
    return Channel(
        address=address, groups=_groups(topic), binding=_binding(address, shape.wanted(topic)) if shape else None
    )


def _groups(topic: str) -> dict[str, list[str]]:
    """Return the types that each group of an installed app handles of a topic."""
    found: dict[str, list[str]] = {}
    for name, group in registry.groups.items():
        for handler in group.all():
            ours = apps.get_containing_app_config(handler.call.__module__)
            if ours and handler.event_type.topic == topic:
                found.setdefault(name, []).append(handler.event_type.wire_type())
    return found


def _binding(address: str, spec: TopicSpec) -> dict[str, Any]:
    numbers = {"retention.ms", "retention.bytes", "max.message.bytes"}
    settings: dict[str, Any] = {name: int(value) for name, value in spec.configs.items() if name in numbers}
    settings["cleanup.policy"] = [spec.configs["cleanup.policy"]]
    return {
        "topic": address,
        "partitions": spec.partitions,
        "replicas": spec.replication,
        "topicConfiguration": settings,
        "bindingVersion": BINDING,
    }


def contract(*, printer: Printer, json: bool, file: Path, write: bool, undeployed: list[str], **options: Any) -> None:
    """Compare the events with the file. Raises CommandError with each incompatible change and its remedy."""
    was, now = _read(file, may_miss=write), contract_of(site_events())
    if unknown := [name for name in undeployed if name not in {*was, *now}]:
        raise CommandError(f"No such type: {', '.join(unknown)}.", returncode=EXIT_WRONG_LINE)
    deployed = {name: one for name, one in was.items() if name not in undeployed}
    broken, changed = list(breaks(deployed, now)), differences(was, merged(was, now, undeployed))
    if json:
        printer.json({"incompatible": broken, "changed": changed, "written": write and not broken})
    if broken:
        raise CommandError("\n".join(broken))
    if write:
        told = msgspec.json.format(msgspec.json.encode(merged(was, now, undeployed)), indent=1)
        file.write_bytes(told + b"\n")
        return
    if changed:
        raise CommandError(
            f"{file} does not have the present shape of {', '.join(changed)}. The change is compatible: write the file "
            f"anew with manage.py eventbus contract {file} --write"
        )


def _read(file: Path, *, may_miss: bool) -> Contract:
    if may_miss and not file.exists():
        return {}
    try:
        return msgspec.json.decode(file.read_bytes(), type=Contract)
    except (OSError, msgspec.DecodeError) as error:
        raise CommandError(f"{file} is no contract: {error}", returncode=EXIT_WRONG_LINE) from error
