from typing import ClassVar

from django.apps import AppConfig


class NoticesConfig(AppConfig):
    name = "mcommerce.notices"
    problems: ClassVar = "mcommerce.notices.failing_ways.problems"
