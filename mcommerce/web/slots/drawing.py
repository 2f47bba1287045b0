"""Draw one fragment. If that fails, the page around it is still shown."""

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, NamedTuple

from django.conf import settings
from django.db import connection, transaction
from django.http import HttpRequest
from django.template.context_processors import csrf
from django.template.loader import render_to_string

from mcommerce.web.slots.registry import Fragment, Key

logger = logging.getLogger(__name__)

DIGEST_BYTES = 8  # compared with one other drawing of the same fragment


class Drawn(NamedTuple):
    """A fragment's HTML, and a digest by which a page knows that it shows this already."""

    html: str
    digest: str


class QueryCount:
    """A count of the statements that the database executes."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self, execute: Any, *statement: Any) -> Any:
        self.made += 1
        return execute(*statement)


def draw(fragment: Fragment, key: Key, request: HttpRequest) -> Drawn:
    """Return the fragment as it is now. It is empty if there is nothing to show, or if drawing failed.

    An open transaction of the page goes on as if the fragment had made no query.
    """
    try:
        with transaction.atomic() if connection.in_atomic_block else nullcontext():
            html = drawn(fragment, key, request)
    except Exception:
        logger.exception("The fragment %s failed for %s; its place stays empty", fragment.name, key)
        html = ""
    return Drawn(html, hashlib.blake2b(html.encode(), digest_size=DIGEST_BYTES).hexdigest())


def drawn(fragment: Fragment, key: Key, request: HttpRequest) -> str:
    """Return the fragment's HTML. Raises whatever its function or its template raises."""
    with counted() as count:
        context = fragment.call(*key, request)
        html = "" if context is None else _rendered(fragment.template, context, request)
    if settings.DEBUG and count.made > fragment.queries:
        logger.warning("%s", too_many(fragment, count.made))
    return html


@contextmanager
def counted() -> Iterator[QueryCount]:
    """Count the statements of the block."""
    count = QueryCount()
    with connection.execute_wrapper(count):
        yield count


def too_many(fragment: Fragment, made: int) -> str:
    """Return a sentence about a fragment that made more queries than it declares."""
    return (
        f"The fragment {fragment.name} made {made} queries and declares {fragment.queries}: "
        f"make fewer, or declare queries={made}"
    )


def _rendered(template: str, context: dict[str, Any], request: HttpRequest) -> str:
    """Render the template without the site's context processors, whose queries are not the fragment's."""
    return render_to_string(template, {"request": request, **csrf(request), **context}).strip()
