"""The id of a request that is sent again: the Caddyfile asks the browser to, when a replica died over a form."""

from uuid import UUID

from django.http import HttpRequest


def request_id(request: HttpRequest) -> UUID | None:
    """Return the request's id, the same when it comes again; None where no proxy gives one.

    A visitor can choose it: only what is the visitor's own may depend on it.
    """
    told = request.GET.get("again") or request.headers.get("X-Request-Id") or ""
    try:
        return UUID(told)
    except ValueError:
        return None
