"""One correlation id for each request: in its events, its log lines, its answer's header, and on the error page."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseServerError
from django.template.loader import get_template

from eventbus.events import correlation_id
from eventbus.ids import text, uuid7
from eventbus.tracing.request_context import correlated

HEADER = "X-Correlation-Id"
Answer = Callable[[HttpRequest], HttpResponse]


def requests_have_ids(get_response: Answer) -> Answer:
    """Return middleware that gives each request a new id. An id that a visitor sends is never used."""

    def answer(request: HttpRequest) -> HttpResponse:
        identity = uuid7()
        request.correlation = text(identity)  # type: ignore[attr-defined]  # for lines that Django logs after the answer
        with correlated(identity):
            response = get_response(request)
        response.headers[HEADER] = request.correlation  # type: ignore[attr-defined]
        return response

    return answer


def server_error(_request: HttpRequest) -> HttpResponse:
    """Show the page of an unexpected error, with the id by which staff find it in the logs and in the journeys."""
    return HttpResponseServerError(get_template("500.html").render({"correlation": correlation_id()}))
