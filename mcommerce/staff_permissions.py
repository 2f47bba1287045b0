"""The permissions of staff, and the audit trail of their decisions.

Features keep the id of the person who decided; its name is looked up here, for the admin alone. Customers never see it.
"""

from typing import Any

from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_user_model
from django.db.models import CharField, F, Model, OuterRef, Subquery, Value
from django.db.models.functions import Coalesce, NullIf
from django.utils.functional import Promise


def may(user: Any, permission: str) -> bool:
    """Return whether this person is staff and has the permission, such as `orders.view_order`. Nobody else has any."""
    return bool(user.is_active and user.is_staff and user.has_perm(permission))


def name_of(column: str) -> Subquery:
    """Return the name of the person whose id `column` holds, to annotate rows; None for nobody or a deleted one."""
    shown = Coalesce(NullIf(F("name"), Value("")), F("email"), output_field=CharField())
    return Subquery(get_user_model().objects.filter(pk=OuterRef(column)).values(shown=shown))


def record(user: Any, row: Model, message: str | Promise) -> None:
    """Record in a row's history in the admin that this person did something to it."""
    LogEntry.objects.log_actions(user.pk, [row], CHANGE, change_message=str(message), single_object=True)
