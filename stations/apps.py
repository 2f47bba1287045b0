"""The bikes: a live map of the world's stations."""

from typing import ClassVar

from django.apps import AppConfig
from django.conf import settings
from django.db.models.signals import post_delete
from django.utils.translation import gettext_lazy as _


class StationsConfig(AppConfig):
    name = "stations"
    verbose_name = _("Bike stations")
    default_auto_field = "django.db.models.BigAutoField"
    url_prefix: ClassVar = "stations/"
    subjects: ClassVar = "stations.services.subjects.find"
    front_page: ClassVar = "stations:dashboard"
    problems: ClassVar = "stations.live.feed_health.problems"
    staff_groups: ClassVar = {"operator": ("view_*", "change_pollplan", "rule_station", "delete_remark")}

    def ready(self) -> None:
        from stations.alerts import riders

        post_delete.connect(riders.forget, sender=settings.AUTH_USER_MODEL)
