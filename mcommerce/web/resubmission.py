"""The id of a request that is sent again: the Caddyfile has the browser repeat a form if a replica fails."""

from uuid import UUID

from django.http import HttpRequest


def request_id(request: HttpRequest) -> UUID | None:
    """Return the id of a request, which stays the same when the browser sends it again; None where no proxy gives one.

    The client can forge it. So use it only for what belongs to this visitor.
    """
    told = request.GET.get("again") or request.headers.get("X-Request-Id") or ""
    try:
        return UUID(told)
    except ValueError:
        return None
