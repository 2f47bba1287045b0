from django.apps import AppConfig


class FeaturesConfig(AppConfig):
    name = "mcommerce.features"
    verbose_name = "Features"

    def ready(self) -> None:
        from mcommerce.features import checks  # noqa: F401
