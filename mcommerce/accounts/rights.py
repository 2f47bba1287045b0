"""Who gives rights: superusers alone. Staff who may change people would else make themselves what they like."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group
from django.http import HttpRequest

RIGHTS = ("is_staff", "is_superuser", "groups", "user_permissions")


class PeopleAdmin(UserAdmin):
    """Without being a superuser one changes customers only: not rights, nor the password or address of staff."""

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        fields = list(super().get_readonly_fields(request, obj))
        return fields if request.user.is_superuser else [*fields, *RIGHTS]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and _may_touch(request.user, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Nobody deletes who is in the history of the desk: it would go with them. They are made inactive."""
        if obj is not None and LogEntry.objects.filter(user=obj).exists():
            return False
        return super().has_delete_permission(request, obj) and _may_touch(request.user, obj)


def _may_touch(user: Any, person: Any) -> bool:
    return user.is_superuser or person is None or not (person.is_staff or person.is_superuser)


class RightsAdmin(GroupAdmin):
    """Groups hold rights."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)


admin.site.unregister(Group)
admin.site.register(Group, RightsAdmin)
