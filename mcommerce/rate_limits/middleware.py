"""Middleware that answers a request over a rate limit with the time to wait."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from mcommerce.rate_limits.rate_limit import RateLimited

RETRY_SECONDS = 60  # for a limit that does not say when it ends


class RateLimitedAnswers:
    """Middleware: a view that raises RateLimited answers 429."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return too_many_requests(request, error.retry_after) if isinstance(error, RateLimited) else None


def too_many_requests(request: HttpRequest, retry_after: int = RETRY_SECONDS) -> HttpResponse:
    """Return the 429 page, with Retry-After in seconds."""
    answer = render(request, "429.html", {"minutes": -(-retry_after // 60)}, status=429)
    answer["Retry-After"] = str(retry_after)
    return answer
