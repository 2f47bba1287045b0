"""Count HTTP requests by the name of their route, and never by their path, which visitors choose."""

import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from eventbus.measuring.series import Counter, Histogram
from mcommerce.monitoring.routes import method_of, route_of

Answer = Callable[[HttpRequest], HttpResponse]

REQUESTS = Counter(
    "mcommerce_http_requests_total",
    "HTTP requests that were answered, by route, method and class of status.",
    *("route", "method", "status"),
    limit=600,
)
DURATION = Histogram(
    "mcommerce_http_request_duration_seconds",
    "Seconds from a request to its answer, by route.",
    "route",
    bounds=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0),
    limit=160,
)


def requests_are_counted(get_response: Answer) -> Answer:
    """Return middleware that counts each answered request, and how long it took. It stands before all others."""

    def answer(request: HttpRequest) -> HttpResponse:
        begun = time.perf_counter()
        response = get_response(request)
        route = route_of(request)
        REQUESTS.add(route, method_of(request), f"{response.status_code // 100}xx")
        DURATION.observe(route, seconds=time.perf_counter() - begun)
        return response

    return answer
