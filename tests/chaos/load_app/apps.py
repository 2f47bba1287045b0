import os
from typing import Any

from django.apps import AppConfig


class TownConfig(AppConfig):
    name = "tests.chaos.load_app"
    label = "town"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        name_leases()
        if mistake := os.environ.get("CHAOS_MISTAKE"):
            from tests.simulation.mistakes import named  # only now: it imports models

            named(mistake).plant()


def name_leases() -> None:
    """Every lease of this process is owned under its process id, so that the relay that leads can be chosen."""
    from eventbus.database.leases import Lease

    make = Lease.__init__

    def named(self: Lease, *arguments: Any, **options: Any) -> None:
        make(self, *arguments, **options)
        self.owner = f"process {os.getpid()}"

    Lease.__init__ = named  # type: ignore[method-assign]
