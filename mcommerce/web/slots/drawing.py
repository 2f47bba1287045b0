"""Draw one fragment. If that fails, the page around it is still shown."""

import hashlib
import logging
import math
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.http import HttpRequest
from django.template.context_processors import csrf
from django.template.loader import render_to_string

from mcommerce.web.slots.registry import Fragment, Key

logger = logging.getLogger(__name__)

DIGEST_BYTES = 8  # compared with one other drawing of the same fragment
WARNING_SECONDS = 60  # between two warnings of one fragment, which may be drawn a thousand times meanwhile

_lock = threading.Lock()
_warned: dict[str, float] = {}  # when each fragment was last said to make too many queries
_of_visitor: ContextVar[bool] = ContextVar("of_visitor", default=False)


class Drawn(NamedTuple):
    """A fragment's HTML, and a digest by which a page knows that it shows this already."""

    html: str
    digest: str


class QueryCount:
    """A count of the statements that the database executes, without those that look up the visitor."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self, execute: Any, *statement: Any) -> Any:
        self.made += not _of_visitor.get()
        return execute(*statement)


def draw(fragment: Fragment, key: Key, request: HttpRequest) -> Drawn:
    """Return the fragment as it is now. It is empty if there is nothing to show, or if drawing failed.

    An open transaction of the page goes on as if the fragment had made no query.
    """
    try:
        with transaction.atomic() if connection.in_atomic_block else nullcontext():
            return with_digest(drawn(fragment, key, request))
    except Exception:
        logger.exception("The fragment %s failed for %s; its place stays empty", fragment.name, key)
        return with_digest("")


def with_digest(html: str) -> Drawn:
    """Return a fragment's HTML with its digest."""
    return Drawn(html, hashlib.blake2b(html.encode(), digest_size=DIGEST_BYTES).hexdigest())


def drawn(fragment: Fragment, key: Key, request: HttpRequest) -> str:
    """Return the fragment's HTML. Raises whatever its function or its template raises."""
    with counted() as count:
        context = fragment.call(*key, request)
        html = "" if context is None else _rendered(fragment.template, context, request)
    if count.made > fragment.queries and _may_warn(fragment.name):
        logger.warning("%s", too_many(fragment, count.made))
    return html


@contextmanager
def counted() -> Iterator[QueryCount]:
    """Count the statements of the block."""
    count = QueryCount()
    with connection.execute_wrapper(count):
        yield count


@contextmanager
def of_visitor() -> Iterator[None]:
    """Leave the statements of the block out of every count: they look up who sees the page."""
    before = _of_visitor.set(True)
    try:
        yield
    finally:
        _of_visitor.reset(before)


def too_many(fragment: Fragment, made: int) -> str:
    """Return a sentence about a fragment that made more queries than it declares."""
    return (
        f"The fragment {fragment.name} made {made} queries and declares {fragment.queries}: "
        f"make fewer, or declare queries={made}"
    )


def _may_warn(name: str) -> bool:
    """Return True at most once a minute for each fragment."""
    now = time.monotonic()
    with _lock:
        if now - _warned.get(name, -math.inf) < WARNING_SECONDS:
            return False
        _warned[name] = now
        return True


def _rendered(template: str, context: dict[str, Any], request: HttpRequest) -> str:
    """Render the template without the site's context processors, whose queries are not the fragment's."""
    return render_to_string(template, {"request": request, **csrf(request), **context}).strip()
