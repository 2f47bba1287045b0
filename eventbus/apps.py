from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.module_loading import autodiscover_modules
from django.utils.translation import gettext_lazy as _


class EventbusConfig(AppConfig):
    name = "eventbus"
    verbose_name = _("Event bus")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Learn who handles what. Nothing is started here: `check`, `migrate` and `shell` come by as well."""
        from eventbus import checks  # noqa: F401

        autodiscover_modules("handlers")
        post_migrate.connect(_note_where_groups_begin, sender=self)


def _note_where_groups_begin(*, using: str, **ignored: Any) -> None:
    """A new group begins at the log's end as it is when `migrate` runs, not when its first worker happens to start."""
    from eventbus import groups, registry
    from eventbus.backends import current

    if using == "default":
        current().reset()
        groups.ensure(current(), registry.groups.values())
