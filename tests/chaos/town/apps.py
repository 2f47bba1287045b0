import os

from django.apps import AppConfig


class TownConfig(AppConfig):
    name = "tests.chaos.town"
    label = "town"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from tests.chaos.town import naming, sabotage, skew

        naming.name_leases()
        skew.follow()
        if fault := os.environ.get("CHAOS_SABOTAGE"):
            sabotage.plant(fault)
