"""The spans of the bus and of requests, by OpenTelemetry's conventions for messaging and HTTP.

An event carries the context of the span that published it, as the CloudEvents attribute `traceparent`. So everything
that follows from a request is in its trace, over all processes. No span has a key, a payload, a path or the text of an
error: collectors are read by more people than the database.
"""

import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags

SYSTEM = "eventbus"
SERVER_ERROR = 500
# A span for each event costs some 50 microseconds, a link 3. So larger batches have one span, with links.
SPANS_EACH_MAX = 20
LINKS_MAX = 128  # what OpenTelemetry's SDK keeps of a span by default
_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})")
Values = dict[str, str | int]


class Spans:
    """The spans of this process. Each context manager makes its span the present one, whose children follow."""

    each_max = SPANS_EACH_MAX

    def __init__(self, provider: TracerProvider) -> None:
        self._tracer = provider.get_tracer(SYSTEM)

    def traceparent(self) -> str:
        """Return the context of the present span for an event's envelope; "" outside every span."""
        context = trace.get_current_span().get_span_context()
        return _written(context) if context.is_valid else ""

    def trace_id(self) -> str:
        """Return the id of the present trace; "" outside every span."""
        context = trace.get_current_span().get_span_context()
        return trace.format_trace_id(context.trace_id) if context.is_valid else ""

    @contextmanager
    def request(self, method: str) -> Iterator[Callable[..., None]]:
        """Trace an HTTP request as a new trace. Give a function that takes its `route` and its `status` at the end."""
        with self._span(method, SpanKind.SERVER, Context(), {"http.request.method": method}) as span:

            def answered(*, route: str, status: int) -> None:
                span.update_name(f"{method} {route}")
                span.set_attributes({"http.route": route, "http.response.status_code": status})
                if status >= SERVER_ERROR:
                    span.set_status(Status(StatusCode.ERROR))

            yield answered

    @contextmanager
    def sending(self, topics: Sequence[str], cause: str) -> Iterator[None]:
        """Trace one call of `publish`. `cause`: the trace of the event in hand, for handlers without a span."""
        topic = topics[0] if topics else ""
        values: Values = {**_of_topic(topic), "messaging.operation.type": "create", "messaging.operation.name": "send"}
        if len(topics) > 1:
            values["messaging.batch.message_count"] = len(topics)
        parent = None if trace.get_current_span().get_span_context().is_valid else _parent(cause)
        with self._span(f"send {topic}", SpanKind.PRODUCER, parent, values):
            yield

    def appended(self, events: Iterable[tuple[str, str]], begun: int) -> None:
        """Trace an append to the log that has ended, from the pairs of topic and `traceparent` of its events.

        It has a span in each trace of a few, and else one span that links to them. `begun`: by `time.time_ns()`.
        """
        ended, counts = time.time_ns(), _counts(events)
        values = {"messaging.operation.type": "send", "messaging.operation.name": "append"}
        if len(counts) <= SPANS_EACH_MAX:
            for (topic, sender), count in counts.items():
                told = {**_of_topic(topic), **values, "messaging.batch.message_count": count}
                self._tracer.start_span(
                    f"append {topic}", _parent(sender), SpanKind.CLIENT, told, start_time=begun
                ).end(ended)
            return
        told = {"messaging.system": SYSTEM, **values, "messaging.batch.message_count": sum(counts.values())}
        links = _links(sender for _, sender in counts)
        self._tracer.start_span("append", Context(), SpanKind.CLIENT, told, links, start_time=begun).end(ended)

    @contextmanager
    def processing(self, group: str, topic: str, kind: str, sender: str) -> Iterator[None]:
        """Trace the handlers of one event, in the trace of the event (`sender`: its `traceparent`)."""
        with self._span(f"process {topic}", SpanKind.CONSUMER, _parent(sender), _of_handling(group, topic, kind)):
            yield

    @contextmanager
    def processing_many(self, group: str, topic: str, senders: Sequence[str]) -> Iterator[None]:
        """Trace a large batch as one span, which links to its events. What handlers publish stays in their traces."""
        values: Values = {**_of_handling(group, topic, ""), "messaging.batch.message_count": len(senders)}
        span = self._tracer.start_span(
            f"process {topic}", Context(), SpanKind.CONSUMER, values, _links(dict.fromkeys(senders))
        )
        try:
            yield
        except Exception as error:
            _fail(span, error)
            raise
        finally:
            span.end()

    @contextmanager
    def replaying(self, group: str, topic: str, kind: str, sender: str) -> Iterator[None]:
        """Trace an event that is handled again as a trace of its own, which links to the event's."""
        values = {**_of_handling(group, topic, kind), "eventbus.replay": "true"}
        links = _links([sender])
        with self._span(f"process {topic}", SpanKind.CONSUMER, Context(), values, links):
            yield

    @contextmanager
    def effect(self, group: str, topic: str, kind: str, sender: str) -> Iterator[None]:
        """Trace the call of an effect, in the trace of its event."""
        with self._span(f"effect {group}", SpanKind.INTERNAL, _parent(sender), _of_handling(group, topic, kind)):
            yield

    @contextmanager
    def continuing(self, name: str, sender: str) -> Iterator[None]:
        """Trace work on something that an earlier trace began, in that trace. The present span and it are linked."""
        links = _links([self.traceparent()])
        with self._span(name, SpanKind.INTERNAL, _parent(sender), {}, links):
            yield

    @contextmanager
    def _span(
        self, name: str, kind: SpanKind, parent: Context | None, values: Values, links: Sequence[Link] = ()
    ) -> Iterator[Span]:
        span = self._tracer.start_span(name, parent, kind, values, links)
        with trace.use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
            try:
                yield span
            except Exception as error:
                _fail(span, error)
                raise


def _fail(span: Span, error: Exception) -> None:
    span.set_status(Status(StatusCode.ERROR))
    span.set_attribute("error.type", type(error).__name__)


def _of_topic(topic: str) -> Values:
    return {"messaging.system": SYSTEM, "messaging.destination.name": topic}


def _of_handling(group: str, topic: str, kind: str) -> Values:
    values = {
        **_of_topic(topic),
        "messaging.operation.type": "process",
        "messaging.operation.name": "process",
        "messaging.consumer.group.name": group,
    }
    return values | {"cloudevents.event_type": kind} if kind else values


def _counts(events: Iterable[tuple[str, str]]) -> dict[tuple[str, str], int]:
    counts: dict[tuple[str, str], int] = {}
    for one in events:
        counts[one] = counts.get(one, 0) + 1
    return counts


def _written(context: SpanContext) -> str:
    trace_id, span_id = trace.format_trace_id(context.trace_id), trace.format_span_id(context.span_id)
    return f"00-{trace_id}-{span_id}-{context.trace_flags:02x}"


def _read(traceparent: str) -> SpanContext | None:
    found = _TRACEPARENT.fullmatch(traceparent)
    if found is None:
        return None
    trace_id, span_id, flags = (int(part, 16) for part in found.groups())
    context = SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(flags))
    return context if context.is_valid else None


def _parent(traceparent: str) -> Context:
    """Return the context of the span that an event names; an empty one, for a new trace, if it names none."""
    context = _read(traceparent)
    return Context() if context is None else trace.set_span_in_context(NonRecordingSpan(context), Context())


def _links(traceparents: Iterable[str]) -> list[Link]:
    found = (_read(one) for one in traceparents)
    return [Link(context) for context in found if context is not None][:LINKS_MAX]
