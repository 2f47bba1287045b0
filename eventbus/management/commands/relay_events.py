"""`manage.py relay_events`: bring events from the outbox to those who handle them, until stopped."""

from typing import Any

from django.core.management.base import BaseCommand

from eventbus.foreground import run_until_stopped


class Command(BaseCommand):
    help = (
        "Relay events from the outbox until SIGTERM or SIGINT, then finish what is in hand and exit with 0. "
        "With the in-memory backend this process handles them too, and it refuses to start beside another that does."
    )

    def handle(self, **options: Any) -> None:
        run_until_stopped()
