"""The correlation id of the present request: the events that the request publishes have it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from uuid import UUID

_request: ContextVar[UUID | None] = ContextVar("eventbus_request", default=None)
current = _request.get  # returns None outside every request


@contextmanager
def correlated(request: UUID) -> Iterator[None]:
    """Give the events published in this context the correlation id and the trace of one request."""
    token = _request.set(request)
    try:
        yield
    finally:
        _request.reset(token)
