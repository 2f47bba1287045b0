"""Count HTTP requests by the name of their route, and never by their path, which visitors choose."""

import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve

from eventbus.measuring.series import Counter, Histogram

Answer = Callable[[HttpRequest], HttpResponse]

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER_METHOD = "other"
NO_ROUTE = "none"  # of a path that the site does not have
ADMIN = "admin"  # all pages of the admin are one route: there are hundreds, for a few people

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
        route = _route(request)
        method = request.method if request.method in METHODS else OTHER_METHOD
        REQUESTS.add(route, method or OTHER_METHOD, f"{response.status_code // 100}xx")
        DURATION.observe(route, seconds=time.perf_counter() - begun)
        return response

    return answer


def _route(request: HttpRequest) -> str:
    match = request.resolver_match
    if match is None:  # a middleware has answered before the path was looked up
        try:
            match = resolve(request.path_info)
        except Resolver404:
            return NO_ROUTE
    if match.namespaces[:1] == [ADMIN]:
        return ADMIN
    return match.view_name
