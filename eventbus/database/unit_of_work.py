"""Prepare and clean up a piece of work outside a request, as Django does for a request."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.db import close_old_connections, connection, reset_queries
from django.utils import translation


@contextmanager
def unit_of_work() -> Iterator[None]:
    """Give a piece of work what a request gets from Django: live connections, the site's language, no old queries."""
    _refresh()
    with translation.override(settings.LANGUAGE_CODE):
        yield
    _refresh()


def _refresh() -> None:
    if not connection.in_atomic_block:  # inside a test's transaction the connection is in use
        close_old_connections()
    reset_queries()
