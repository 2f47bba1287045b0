"""Trying a cell of the matrix: one visitor at one address, and whether they got in."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import messages
from django.contrib.admin.helpers import AdminErrorList
from django.contrib.messages import get_messages
from django.core.cache import cache
from django.db import connection, transaction
from django.forms import BaseForm
from django.shortcuts import resolve_url
from django.urls import reverse

from tests.permissions.access_needs import SENT, Need, Visitor
from tests.permissions.visitors import ALL_BUT, Cast

COUNTED = ("django_session", "cache_entry")  # tables that may be written to for whoever is refused: they are counted
NO_ACTION = "No action selected."  # Django's, of an action that this person is not offered


class Wrote:
    """Keeps the statements that changed a row."""

    def __init__(self) -> None:
        self.statements: list[str] = []

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        result = execute(sql, params, many, context)
        changes = sql.lstrip().upper().startswith(("INSERT", "UPDATE", "DELETE")) and context["cursor"].rowcount
        if changes and not any(table in sql for table in COUNTED):
            self.statements.append(sql)
        return result


@dataclass
class Matrix:
    """The cells that are not as the table says."""

    cast: Cast
    deviations: list[str] = field(default_factory=list)

    def row(self, what: str, method: str, url: str, need: Need, data: Any = None) -> None:
        """Let everybody try one address with one method."""
        for visitor in self.cast.trying(need):
            self.cast.becomes(visitor)
            for wrong in self._tried(visitor, method, url, need, data or {}):
                self.deviations.append(f"{what} {method} as {told(visitor, need)}: {wrong}")

    def _tried(self, visitor: Visitor, method: str, url: str, need: Need, data: Any) -> Iterator[str]:
        client = self.cast.browser(visitor.name)
        client.raise_request_exception = False
        cache.clear()  # what others did too often
        wrote = Wrote()
        with transaction.atomic():
            form = data(client) if callable(data) else data
            with connection.execute_wrapper(wrote):
                answer = getattr(client, method.lower())(url, **form.get(SENT, {"data": form}))
            outcome = outcome_of(answer, visitor)
            transaction.set_rollback(True)
        wanted = "no method" if need.no_method else "let in" if need.lets_in(visitor) else "refused"
        if outcome != wanted and (wanted, outcome) != ("no method", "refused"):
            yield f"{outcome} ({answer.status_code}), and the table says: {wanted}{_complaint(answer)}"
        if outcome != "let in" and wrote.statements:
            yield f"{outcome}, and yet it wrote: {wrote.statements[0][:120]}"


def told(visitor: Visitor, need: Need) -> str:
    """Who; of a probe, which of the needed permissions it lacks."""
    lacking = [clause for clause in need.clauses if visitor.permissions.isdisjoint(clause)]
    return f"{visitor.name} ({lacking})" if visitor.name == ALL_BUT else visitor.name


def outcome_of(answer: Any, visitor: Visitor) -> str:
    if answer.status_code >= 500 and answer.status_code != 503:
        return "broken"
    if answer.status_code == 405:
        return "no method"
    if answer.status_code in (403, 404) or _asks_to_sign_in(answer, visitor) or _leaves_an_action_undone(answer):
        return "refused"
    return "let in, and the form refused" if answer.status_code >= 400 or form_errors(answer) else "let in"


def form_errors(answer: Any) -> list[str]:
    """What is wrong with a form that was posted: its page, which may have the status 200, or a message says so."""
    if answer.wsgi_request.method != "POST":
        return []
    told = [str(one) for one in get_messages(answer.wsgi_request) if one.level >= messages.ERROR]
    if answer.status_code != 200:
        return told
    contexts = answer.context if isinstance(answer.context, list) else [answer.context or {}]
    values = [value for one in contexts for part in one for value in part.values()]
    forms = [value for value in values if isinstance(value, BaseForm) and value.is_bound]
    admins = [value for value in values if isinstance(value, AdminErrorList)]
    return [form.errors.as_json() for form in forms if form.errors] + [str(one) for one in admins if one] + told


def _complaint(answer: Any) -> str:
    found = form_errors(answer)
    return f". It says: {found[0]}" if found else ""


def _leaves_an_action_undone(answer: Any) -> bool:
    """Whether the desk shows the list again, or says that no action was chosen: it offers this person no such one."""
    asked = answer.wsgi_request.POST.get("action")
    if not asked or answer.wsgi_request.resolver_match.app_name != "admin":
        return False
    said = [str(message) for message in get_messages(answer.wsgi_request)]
    return NO_ACTION in said or "cl" in (getattr(answer, "context_data", None) or {})


def _asks_to_sign_in(answer: Any, visitor: Visitor) -> bool:
    doors = {resolve_url(settings.LOGIN_URL), reverse("admin:login")}
    if not visitor.staff:
        doors.add(reverse("admin:index"))  # which asks them
    return answer.status_code == 302 and urlsplit(answer.url).path in doors
