"""Recognise staff before an overview page is drawn. If a lock prevents that, name the table and show nothing else.

Without the session nobody knows who asks. So the answer has no data of the site: no process, no statement, no figure.
It names the table, and what to ask PostgreSQL. Requests with HEALTH_TOKEN read who holds it at `/health/ready`.
"""

from collections.abc import Callable, Iterable

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.db import DatabaseError, InterfaceError, connection
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.cache import add_never_cache_headers
from django.utils.translation import gettext as _

from mcommerce import readiness
from mcommerce.overview.faults import PARTS, Fault
from mcommerce.overview.frame import MAY_LOOK, PART, REFRESH_SECONDS, unread
from mcommerce.readiness.database import NO_ANSWER
from mcommerce.readiness.impatience import LOCKS, PAGE_LOCK_SECONDS, is_lock, is_unreadable, limited
from mcommerce.readiness.table_locks import STOPS_READERS, TableLock, held

Answer = Callable[[HttpRequest], HttpResponse]

READS = ("GET", "HEAD")  # a form may wait for a lock as long as everywhere
OF_TABLES = (
    "locked: {tables}. Until that transaction ends this site recognises nobody, so this page shows no data. Ask "
    "PostgreSQL who holds it: SELECT pid FROM pg_locks WHERE relation = '{first}'::regclass AND granted. Then end that "
    "transaction, or SELECT pg_terminate_backend(pid) (docs/runbook.md, A table is locked)."
)
OF_DATABASE = (
    "This site recognises nobody, so this page shows no data. {why} (docs/runbook.md, The database has a fault)."
)
LOCKED = "The database is locked: find the program that leaves a transaction open, and end it"


def staff_are_recognised(get_response: Answer) -> Answer:
    """Return middleware for the overview's pages: an unreadable session is a short page that names its table."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith(reverse("overview")) or settings.SESSION_COOKIE_NAME not in request.COOKIES:
            return get_response(request)
        if locked := _of_recognition(readiness.locks()):
            return _nobody_is_known(request, _fault_of(locked))
        try:
            with limited(LOCKS, PAGE_LOCK_SECONDS):
                _recognise(request)
                if request.method in READS:
                    return get_response(request)
        except (DatabaseError, InterfaceError) as error:
            if not is_unreadable(error):
                raise
            return _nobody_is_known(request, _fault(error))
        return get_response(request)

    return middleware


def _recognise(request: HttpRequest) -> None:
    """Read who asks and what they may, which the view and the frame need anyway. Each is kept for the request."""
    if request.user.is_authenticated and request.user.is_staff:
        request.user.has_perm(MAY_LOOK)  # reads all permissions, and the second factor


def _of_recognition(locks: Iterable[TableLock]) -> list[str]:
    """Return those of the locked tables without which nobody is recognised."""
    locked = {lock.table for lock in locks if lock.mode == STOPS_READERS}
    user = get_user_model()
    through = (user.groups.through, user.user_permissions.through, Group.permissions.through)
    models = (Session, user, *through, Permission, ContentType, Authenticator)
    return [model._meta.db_table for model in models if model._meta.db_table in locked]


def _fault(error: Exception) -> Fault:
    if connection.vendor == "postgresql" and is_lock(error) and (locked := _of_recognition(held())):
        return _fault_of(locked)
    why = LOCKED if is_lock(error) else f"The database: {NO_ANSWER}"
    return Fault(str(PARTS["database"]), OF_DATABASE.format(why=why))


def _fault_of(tables: list[str]) -> Fault:
    return Fault(str(PARTS["tables"]), OF_TABLES.format(tables=", ".join(tables), first=tables[0]))


def _nobody_is_known(request: HttpRequest, fault: Fault) -> HttpResponse:
    context = {"faults": [fault], "title": _("Staff cannot be recognised now"), "refresh_seconds": REFRESH_SECONDS}
    if PART in request.GET:
        context["part_template"] = "overview/of_locks.html"
    answer = unread(_drawn("overview/part.html" if PART in request.GET else "overview/nobody_known.html", context))
    add_never_cache_headers(answer)
    return answer


def _drawn(template: str, context: dict[str, object]) -> HttpResponse:
    """Draw a template without the context processors of pages, which read the visitor from the database."""
    return HttpResponse(render_to_string(template, context))
