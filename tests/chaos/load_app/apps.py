import os

from django.apps import AppConfig


class TownConfig(AppConfig):
    name = "tests.chaos.load_app"
    label = "town"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from tests.chaos.load_app import clock_skew, named_leases, planted_mistakes

        named_leases.name_leases()
        clock_skew.follow()
        if fault := os.environ.get("CHAOS_MISTAKE"):
            planted_mistakes.plant(fault)
