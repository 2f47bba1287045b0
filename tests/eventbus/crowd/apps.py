from django.apps import AppConfig


class CrowdConfig(AppConfig):
    name = "tests.eventbus.crowd"
    label = "crowd"
    default_auto_field = "django.db.models.BigAutoField"
