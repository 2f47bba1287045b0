"""Admin classes that let superusers alone give rights. Staff who change people could promote themselves."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group
from django.http import HttpRequest

RIGHTS = ("is_staff", "is_superuser", "groups", "user_permissions")


class PeopleAdmin(UserAdmin):
    """People in the admin. Only superusers change rights, and the password or address of staff."""

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        fields = list(super().get_readonly_fields(request, obj))
        return fields if request.user.is_superuser else [*fields, *RIGHTS]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj) and _may_touch(request.user, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Refuse to delete a person with entries in the admin's history, which would go too. Make them inactive."""
        if obj is not None and LogEntry.objects.filter(user=obj).exists():
            return False
        return super().has_delete_permission(request, obj) and _may_touch(request.user, obj)


def _may_touch(user: Any, person: Any) -> bool:
    return user.is_superuser or person is None or not (person.is_staff or person.is_superuser)


class RightsAdmin(GroupAdmin):
    """Groups in the admin. Only superusers add, change or delete them, since groups give rights."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.is_superuser)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.is_superuser)


admin.site.unregister(Group)
admin.site.register(Group, RightsAdmin)
