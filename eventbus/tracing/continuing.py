"""Continue a trace later, in another request: work on something belongs to the trace that has begun it."""

import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from uuid import UUID

from eventbus.envelope_texts import TRACE_CHARACTERS as TRACE_CHARACTERS  # of a column that keeps one
from eventbus.tracing import switch
from eventbus.tracing.request_context import correlated

_TRACE_ID = re.compile(r"00-([0-9a-f]{32})-")


@contextmanager
def continued(name: str, trace: str) -> Iterator[None]:
    """Give the events, log lines and spans of this context the correlation id and the trace of an earlier request.

    `trace`: what `eventbus.events.present_trace` returned then; with "" nothing changes. `name`: of the span.
    """
    found = _TRACE_ID.match(trace)
    if found is None:
        yield
        return
    span = nullcontext() if switch.active is None else switch.active.continuing(name, trace)
    with correlated(UUID(hex=found[1])), span:
        yield
