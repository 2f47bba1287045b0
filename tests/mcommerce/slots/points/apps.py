from django.apps import AppConfig


class PointsConfig(AppConfig):
    name = "tests.mcommerce.slots.points"
    label = "points"
