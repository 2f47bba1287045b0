"""Staff groups. Each feature declares its permissions for them in its AppConfig's `staff_groups`."""

from fnmatch import fnmatch
from typing import Any

from django.apps import AppConfig
from django.apps import apps as installed


def fill_groups(*, sender: AppConfig, using: str, apps: Any = installed, **ignored: Any) -> None:
    """Give each staff group its permissions of the app `sender` after `migrate`; create missing groups.

    Permissions that the owner added to a group stay. Permissions that the app declares and somebody removed come back.
    `using`: the alias of the database.
    """
    patterns_by_group = getattr(sender, "staff_groups", {})
    try:
        groups, permissions = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    except LookupError:  # `migrate` stopped before these tables
        return
    of_app = list(permissions.objects.using(using).filter(content_type__app_label=sender.label))
    for name, patterns in patterns_by_group.items():
        group, _new = groups.objects.using(using).get_or_create(name=name)
        wanted = [one for one in of_app if any(fnmatch(one.codename, pattern) for pattern in patterns)]
        group.permissions.add(*wanted)
