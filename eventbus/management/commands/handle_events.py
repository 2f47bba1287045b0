"""`manage.py handle_events`: run the consumer groups' handlers, until stopped."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from eventbus import backends, registry
from eventbus.processes.command_runner import handle_until_stopped, relay_until_stopped


class Command(BaseCommand):
    help = (
        "Handle events until SIGTERM or SIGINT, then finish what is in hand and exit with 0. "
        "Any number of these may run. With the in-memory backend it relays them too, and refuses to start beside "
        "another that does."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--group", action="append", default=[], help="only this consumer group; again for another")

    def handle(self, *, group: list[str], **options: Any) -> None:
        known = sorted(registry.groups)
        unknown = sorted(set(group) - set(known))
        if unknown:
            raise CommandError(f"No such group: {', '.join(unknown)}. Known: {', '.join(known)}.", returncode=2)
        if not backends.current().in_process:
            handle_until_stopped([registry.groups[name] for name in group or known])
            return
        if group and set(group) != set(known):
            raise CommandError(
                "One dispatcher runs all groups of this backend: events for the others would wait. Leave out --group."
            )
        relay_until_stopped()
