"""Answers of open data: readable from any page (CORS), compressed, conditional, limited, and errors as JSON."""

import gzip
import logging
from collections.abc import Callable
from datetime import datetime
from functools import wraps
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec
from django.db import Error as DatabaseUnavailable
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.cache import get_conditional_response, patch_vary_headers
from django.utils.http import http_date
from django.views.decorators.csrf import csrf_exempt

from stations.all_languages import same_in_all_languages
from stations.limits import network_of
from stations.open_data.request_limit import TooManyRequests, count_request

logger = logging.getLogger(__name__)

METHODS = "GET, HEAD, OPTIONS"
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": "ETag, Last-Modified, Retry-After",
}
PREFLIGHT = {
    "Access-Control-Allow-Methods": METHODS,
    "Access-Control-Allow-Headers": "If-None-Match, If-Modified-Since",
    "Access-Control-Max-Age": "86400",  # seconds: a day, as long as any browser keeps it
}
ZIPPED_BYTES_MIN = 1_000  # less fits in one packet anyway
OUTAGE_RETRY_SECONDS = 10  # a database that restarts or is locked is back by then, as a rule
OUTAGE = "The database cannot be read now: ask again later."
ZIP_LEVEL = 6  # of 9: higher ones take twice the time for a hundredth of the bytes

View = Callable[..., HttpResponse]


class Unavailable(Exception):
    """There is no answer yet, and there will be one. Holds the sentence for the caller and when to ask again."""

    def __init__(self, sentence: str, retry_after_seconds: int) -> None:
        super().__init__(sentence)
        self.retry_after_seconds = retry_after_seconds


class Body(NamedTuple):
    """An encoded answer. `zipped` is empty if it is small."""

    content: bytes
    zipped: bytes
    etag: str
    changed_at: datetime | None
    max_age_seconds: int


def body_of(content: bytes, *, changed_at: datetime | None, max_age_seconds: int) -> Body:
    zipped = gzip.compress(content, ZIP_LEVEL, mtime=0) if len(content) >= ZIPPED_BYTES_MIN else b""
    # Weak: it names the document, compressed or not.
    etag = f'W/"{blake2b(content, digest_size=12).hexdigest()}"'
    return Body(content, zipped, etag, changed_at, max_age_seconds)


def answer(request: HttpRequest, body: Body) -> HttpResponse:
    """Return the document, or 304 if the caller has it already."""
    wants_zip = bool(body.zipped) and _accepts_gzip(request)
    response = HttpResponse(body.zipped if wants_zip else body.content, content_type="application/json")
    if wants_zip:
        response.headers["Content-Encoding"] = "gzip"
    response.headers["ETag"] = body.etag
    response.headers["Cache-Control"] = f"public, max-age={body.max_age_seconds}"
    if body.changed_at:
        response.headers["Last-Modified"] = http_date(body.changed_at.timestamp())
    patch_vary_headers(response, ["Accept-Encoding"])
    changed = int(body.changed_at.timestamp()) if body.changed_at else None
    return get_conditional_response(request, body.etag, changed, response) or response


def failure(status: int, sentence: str, **headers: str) -> HttpResponse:
    """Return an error as JSON. No cache keeps it."""
    content = msgspec.json.encode({"error": sentence})
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return HttpResponse(
        content, status=status, content_type="application/json", headers={"Cache-Control": "no-store", **named}
    )


def open_data(view: View) -> View:
    """Return the view for callers from anywhere: with CORS, the request limit, and errors as JSON."""

    @csrf_exempt  # it changes nothing
    @same_in_all_languages
    @wraps(view, updated=())
    def answering(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = _answered(view, request, *args, **kwargs)
        for name, value in CORS.items():
            response.headers[name] = value
        return response

    return answering


def _answered(view: View, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
    if request.method == "OPTIONS":
        return HttpResponse(status=204, headers={"Allow": METHODS, **PREFLIGHT})
    if request.method not in ("GET", "HEAD"):
        return failure(405, f"Use one of {METHODS}.", Allow=METHODS)
    try:
        count_request(network_of(request.META.get("REMOTE_ADDR", "")))
        return view(request, *args, **kwargs)
    except TooManyRequests as too_many:
        return failure(429, str(too_many), Retry_After=str(too_many.retry_after_seconds))
    except Unavailable as unavailable:
        return failure(503, str(unavailable), Retry_After=str(unavailable.retry_after_seconds))
    except DatabaseUnavailable:
        logger.exception("Open data could not be read")
        return failure(503, OUTAGE, Retry_After=str(OUTAGE_RETRY_SECONDS))
    except Http404 as unknown:
        return failure(404, str(unknown) or "There is nothing at this address.")


def _accepts_gzip(request: HttpRequest) -> bool:
    """Return whether the caller takes gzip. One that writes `gzip;q=0` does not."""
    for part in request.headers.get("Accept-Encoding", "").split(","):
        name, _, quality = part.replace(" ", "").partition(";q=")
        if name.casefold() in ("gzip", "*"):
            return quality.strip("0.") != "" or not quality
    return False
