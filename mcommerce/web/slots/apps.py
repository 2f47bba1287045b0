from django.apps import AppConfig
from django.utils.module_loading import autodiscover_modules


class SlotsConfig(AppConfig):
    name = "mcommerce.web.slots"
    verbose_name = "Page slots"

    def ready(self) -> None:
        """Import each app's `slots.py`, which registers its fragments."""
        autodiscover_modules("slots")
