from typing import Any, ClassVar

from django.apps import AppConfig
from django.apps import apps as installed
from django.conf import settings
from django.core.management.base import CommandError
from django.db.models.signals import post_migrate
from django.utils.module_loading import autodiscover_modules, import_string
from django.utils.translation import gettext_lazy as _

LOOK = ("view_[!p]*", "view_park*", "view_pro*")  # every table of the bus, and not `view_payload`


class EventbusConfig(AppConfig):
    name = "eventbus"
    verbose_name = _("Event bus")
    default_auto_field = "django.db.models.BigAutoField"
    staff_groups: ClassVar = {
        "bus observer": LOOK,
        "bus reader": (*LOOK, "view_payload"),
        "operator": (*LOOK, "view_payload", "operate"),
        "bus administrator": (*LOOK, "view_payload", "operate", "administer"),
    }

    def ready(self) -> None:
        """Register handlers and failpoints.

        Nothing is started here: `check`, `migrate` and `shell` run this method as well.
        """
        from eventbus import failpoints  # noqa: F401
        from eventbus.checks import declarations  # noqa: F401

        autodiscover_modules("handlers", "failpoints")
        import_string(str(settings.EVENTBUS["BACKEND"]))  # this import declares the backend's own failpoints
        failpoints.arm_as_set()
        post_migrate.connect(note_where_groups_begin, sender=self)


def note_where_groups_begin(*, using: str, apps: Any = installed, **ignored: Any) -> None:
    """Save the first offsets of new groups at the end of `migrate`.

    Otherwise a group would get its first offset when its first worker starts. It would miss events published before.
    """
    from eventbus import registry
    from eventbus.backends import current
    from eventbus.errors import LogUnavailable
    from eventbus.progress import group_starts

    if using == "default" and _columns(apps) == _columns(installed):
        current().reset()
        try:
            group_starts.ensure(current(), registry.groups.values())
        except LogUnavailable as error:
            raise CommandError(
                f"The tables are as they should be, but groups have no offsets in the log. {error}. Then migrate again."
            ) from None


def _columns(apps: Any) -> set[tuple[str, str]]:
    """Return the bus's tables and columns. If `migrate` stopped at an earlier migration, some are missing."""
    return {
        (model._meta.db_table, field.column)
        for model in apps.get_models()
        if model._meta.app_label == "eventbus"
        for field in model._meta.local_fields
    }
