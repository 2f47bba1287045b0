"""The events of the site: those of its own packages, without those that a test or a program beside it declares."""

from django.apps import apps

from eventbus.events import Event, declared_events


def site_events() -> dict[str, type[Event]]:
    """Return the event classes of the packages that have an installed app, by wire type, sorted."""
    packages = {config.name.partition(".")[0] for config in apps.get_app_configs()}
    ours = [one for one in declared_events() if one.__module__.partition(".")[0] in packages]
    return {one.wire_type(): one for one in sorted(ours, key=lambda one: one.wire_type())}
