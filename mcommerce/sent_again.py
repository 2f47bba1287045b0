"""A form that a replica died over is sent again: the Caddyfile asks the browser to, and tells which request it was."""

from uuid import UUID

from django.http import HttpRequest


def request_id(request: HttpRequest) -> UUID | None:
    """The request's number, the same when it comes again; None where no proxy gives one.

    A visitor can choose it: only what is the visitor's own may depend on it.
    """
    told = request.GET.get("again") or request.headers.get("X-Request-Id") or ""
    try:
        return UUID(told)
    except ValueError:
        return None
