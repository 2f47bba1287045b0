from django.apps import AppConfig


class CrowdConfig(AppConfig):
    name = "tests.eventbus.load_app"
    label = "crowd"
    default_auto_field = "django.db.models.BigAutoField"
