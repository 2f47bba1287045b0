from django.apps import AppConfig


class SlowConfig(AppConfig):
    name = "tests.eventbus.slow_app"
    label = "slow"
