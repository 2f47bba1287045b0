"""Trace HTTP requests. A visitor's own trace is not continued: nobody else decides about our ids."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from eventbus.tracing import switch
from mcommerce.monitoring.routes import method_of, route_of

Answer = Callable[[HttpRequest], HttpResponse]


def requests_are_traced(get_response: Answer) -> Answer:
    """Return middleware that makes each request a trace, with the request's correlation id as its id."""

    def answer(request: HttpRequest) -> HttpResponse:
        if switch.active is None:
            return get_response(request)
        method = method_of(request)
        with switch.active.request(method) as told:
            response = get_response(request)
            told(route=route_of(request), status=response.status_code)
        return response

    return answer
