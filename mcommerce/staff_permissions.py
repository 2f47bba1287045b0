"""The permissions of staff, and the audit trail of their decisions.

Features store the id of the staff member who decided. The name is looked up here, for the admin alone. Customers never
see it.
"""

from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_user_model
from django.db.models import CharField, F, Model, OuterRef, Subquery, Value
from django.db.models.functions import Coalesce, NullIf
from django.utils.functional import Promise


def may(user: Any, permission: str) -> bool:
    """Return whether this user is staff and has the permission, such as `orders.view_order`. Nobody else has any."""
    return bool(user.is_active and user.is_staff and user.has_perm(permission))


def name_of(column: str) -> Subquery:
    """Return the name of the staff member whose id `column` holds, to annotate rows; None if empty or deleted."""
    shown = Coalesce(NullIf(F("name"), Value("")), F("email"), output_field=CharField())
    return Subquery(get_user_model().objects.filter(pk=OuterRef(column)).values(shown=shown))


def record(user: Any, row: Model, message: str | Promise) -> None:
    """Add `message` to a row's history in the admin, as done by the staff member `user`."""
    LogEntry.objects.log_actions(user.pk, [row], CHANGE, change_message=str(message), single_object=True)
