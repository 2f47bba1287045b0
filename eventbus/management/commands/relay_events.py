"""`manage.py relay_events`: relay events from the outbox to the log, until stopped."""

from typing import Any

from django.core.management.base import BaseCommand

from eventbus.processes.command_runner import relay_until_stopped


class Command(BaseCommand):
    help = (
        "Relay events from the outbox until SIGTERM or SIGINT, then finish what is in hand and exit with 0. "
        "One process relays, others stand by. With the in-memory backend it handles them too, and refuses to start "
        "beside another that does."
    )

    def handle(self, **options: Any) -> None:
        relay_until_stopped()
