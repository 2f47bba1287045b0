"""The system checks of settings, events and groups, each with its remedy."""

from collections import defaultdict
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.utils.module_loading import import_string

from eventbus import backends, registry
from eventbus.checks import handler_places
from eventbus.declaration.upcasting import readable_types
from eventbus.events import declared_events


@register("eventbus")
def check_backend(**ignored: Any) -> list[CheckMessage]:
    """Check that the backend can be imported, and made and run with its settings."""
    try:
        chosen: dict[str, Any] = settings.EVENTBUS
        import_string(chosen["BACKEND"])
        backends.current().refuse_settings()
    except ImproperlyConfigured as error:
        return [Error(str(error), hint="See docs/reference/settings.md", id="eventbus.E008")]
    except (AttributeError, KeyError, TypeError, ImportError) as error:
        hint = 'Write EVENTBUS = {"BACKEND": "eventbus.backends.memory.MemoryBackend", "OPTIONS": {}}'
        return [Error(f"settings.EVENTBUS names no backend: {error}", hint=hint, id="eventbus.E001")]
    return []


@register("eventbus")
def check_authentication(**ignored: Any) -> list[CheckMessage]:
    """Check that the brokers of a deployed site authenticate their clients."""
    try:
        why = backends.current().exposed() if settings.EVENTBUS.get("DEPLOYED") else ""
    except (ImproperlyConfigured, AttributeError, KeyError, TypeError, ImportError):  # another check reports it
        return []
    hint = "Set KAFKA_SECURITY_PROTOCOL and KAFKA_SASL_*: see docs/operations.md, Who may reach the brokers"
    return [Warning(why, hint=hint, id="eventbus.W001")] if why else []


@register("eventbus")
def check_events(**ignored: Any) -> list[CheckMessage]:
    """Check that no two events have the same wire type."""
    by_type: defaultdict[str, list[str]] = defaultdict(list)
    for event_type in declared_events():
        for wire_type in readable_types(event_type):
            by_type[wire_type].append(f"{event_type.__module__}.{event_type.__qualname__}")
    hint = "A name belongs to one class; a new shape gets a new version"
    return [
        Error(f"{wire_type} is the wire type of {', '.join(names)}", hint=hint, id="eventbus.E004")
        for wire_type, names in by_type.items()
        if len(names) > 1
    ]


@register("eventbus")
def check_groups(**ignored: Any) -> list[CheckMessage]:
    """Check that a group holds effects or plain handlers, never both."""
    return [
        Error(
            f"Group {group.name} mixes effects and plain handlers",
            hint="Give the effects a group of their own: they run outside transactions",
            id="eventbus.E005",
        )
        for group in registry.groups.values()
        if len({handler.effect for handler in group.all()}) > 1
    ]


@register("eventbus")
def check_starts(**ignored: Any) -> list[CheckMessage]:
    """Check that all handlers of a group declare the same `start`. A group begins a topic only once."""
    return [
        Error(
            f"Group {group.name} starts both at the latest and at the earliest event",
            hint='Write start="earliest" at each of its handlers, or at none. Or give some a group of their own',
            id="eventbus.E009",
        )
        for group in registry.groups.values()
        if len({handler.start for handler in group.all()}) > 1
    ]


@register("eventbus")
def check_handler_places(**ignored: Any) -> list[CheckMessage]:
    """Check that each handler in the project's source files is registered when Django starts."""
    base = Path(getattr(settings, "BASE_DIR", "/nowhere"))
    folders = {app.name: Path(app.path) for app in apps.get_app_configs()}
    left_out = getattr(settings, "EVENTBUS", {}).get("LEFT_OUT", ())
    return [
        Error(found.what, hint=found.remedy, id="eventbus.E010")
        if found.installed
        else Warning(found.what, hint=found.remedy, id="eventbus.W002")
        for found in handler_places.misplaced(base, folders, registry.declared_at_start, left_out)
    ]


@register("eventbus")
def check_effects(**ignored: Any) -> list[CheckMessage]:
    """Check that a group has at most one effect for an event type. Two effects would share an idempotency key."""
    return [
        Error(
            f"Group {group.name} has {len(found)} effects for {wire_type}",
            hint="Give each effect a group of its own",
            id="eventbus.E007",
        )
        for group in registry.groups.values()
        for wire_type, found in group.handlers.items()
        if group.effects and len(found) > 1
    ]


@register("eventbus")
def check_database(**ignored: Any) -> list[CheckMessage]:
    """Check that SQLite's transactions take the write lock when they begin."""
    options = connections["default"].settings_dict.get("OPTIONS", {})
    if connections["default"].vendor == "sqlite" and options.get("transaction_mode") != "IMMEDIATE":
        hint = 'Set OPTIONS["transaction_mode"] = "IMMEDIATE": one that reads first cannot become a writer later'
        return [Error("SQLite's transactions are deferred", hint=hint, id="eventbus.E006")]
    return []
