from django.apps import AppConfig


class ShiftConfig(AppConfig):
    name = "tests.rolling.load_app"
    label = "shift"
    default_auto_field = "django.db.models.BigAutoField"
