"""What is traced of an event: who published it, who appended it, who handled it, and what followed."""

from typing import Any

import pytest
from django.db import connection, transaction
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode, format_span_id, format_trace_id

from eventbus import publish
from eventbus.consuming.batch import BATCH_SECONDS
from eventbus.envelope_texts import traceparent_of
from eventbus.events import present_trace
from eventbus.ids import uuid7
from eventbus.models import OutboxRow
from eventbus.tracing import switch
from eventbus.tracing.continuing import continued
from eventbus.tracing.exporting import RequestIds
from eventbus.tracing.request_context import correlated
from eventbus.tracing.spans import SPANS_EACH_MAX, Spans
from tests.eventbus.bus_app import House, Mended, Noted, Sown

pytestmark = pytest.mark.django_db(transaction=True)


class Traced:
    """The spans that have ended."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **more: Any) -> None:
        self._ended = InMemorySpanExporter()
        provider = TracerProvider(id_generator=RequestIds(), shutdown_on_exit=False, **more)
        provider.add_span_processor(SimpleSpanProcessor(self._ended))
        monkeypatch.setattr(switch, "active", Spans(provider))

    def all(self, name: str = "") -> list[ReadableSpan]:
        return [span for span in self._ended.get_finished_spans() if name in ("", span.name)]

    def one(self, name: str) -> ReadableSpan:
        [found] = self.all(name)
        return found


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> Traced:
    return Traced(monkeypatch)


def trace(span: ReadableSpan) -> int:
    return span.context.trace_id


def parent(span: ReadableSpan) -> int | None:
    return span.parent and span.parent.span_id


def test_an_event_is_traced_from_its_publication_to_what_follows_from_it(house: House, traced: Traced) -> None:
    house.handler(call=lambda event: publish(Sown(name="bed", number=event.number)))
    house.handler("house-garden", on=Sown)
    request = uuid7()

    with correlated(request):
        house.say(("a", 1))
    house.settle()

    assert {trace(span) for span in traced.all()} == {request.int}
    send, append, process = (traced.one(f"{verb} house") for verb in ("send", "append", "process"))
    sown, grown = traced.one("send garden"), traced.one("process garden")
    assert [parent(one) for one in (send, append, process, sown, grown)] == [
        None,
        *[one.context.span_id for one in (send, send, process, sown)],
    ]
    assert [one.kind for one in (send, append, process)] == [SpanKind.PRODUCER, SpanKind.CLIENT, SpanKind.CONSUMER]
    assert dict(process.attributes or {}) == {
        "messaging.system": "eventbus",
        "messaging.destination.name": "house",
        "messaging.operation.type": "process",
        "messaging.operation.name": "process",
        "messaging.consumer.group.name": "house-a",
        "cloudevents.event_type": "house.noted.v1",
    }
    carried = traceparent_of(OutboxRow.objects.get(topic="house").headers)
    assert carried == f"00-{request.hex}-{format_span_id(send.context.span_id)}-01"


def test_a_large_batch_is_one_span_with_links_and_what_follows_stays_in_its_trace(
    house: House, traced: Traced, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BATCH_SECONDS, connection.vendor, float("inf"))  # however busy the machine is
    house.handler(call=lambda event: publish(Sown(name="bed", number=event.number)) if event.number == 7 else None)
    for number in range(SPANS_EACH_MAX + 1):
        house.say(("one key", number))

    house.settle()

    sends = traced.all("send house")
    process, append, follows = traced.one("process house"), traced.one("append"), traced.one("send garden")
    contexts = {one.context.span_id for one in sends}
    assert (
        {link.context.span_id for link in process.links} == contexts == {link.context.span_id for link in append.links}
    )
    assert (trace(follows), parent(follows)) == (trace(sends[7]), sends[7].context.span_id)


def test_a_failed_attempt_is_told_without_its_text(house: House, traced: Traced) -> None:
    house.handler(call=Mended("a", error=ValueError("a secret")))

    house.say(("a", 1))
    house.settle()

    failed = traced.one("process house")
    assert failed.status.status_code is StatusCode.ERROR
    assert (failed.attributes or {})["error.type"] == "ValueError"
    assert "secret" not in failed.to_json()


def test_an_effect_is_in_the_trace_of_its_event(house: House, traced: Traced) -> None:
    house.effect(on_unknown_outcome="retry")

    house.say(("a", 1))
    house.settle()

    effect = traced.one("effect house-a")
    assert (trace(effect), parent(effect)) == (
        trace(traced.one("send house")),
        traced.one("send house").context.span_id,
    )


@pytest.mark.parametrize("tracing", [True, False])
def test_a_kept_trace_is_continued_in_another_request(
    house: House, monkeypatch: pytest.MonkeyPatch, tracing: bool
) -> None:
    """Such as a webhook, which knows the payment only."""
    if tracing:
        Traced(monkeypatch)
    kept: list[str] = []
    house.handler(call=lambda event: kept.append(present_trace()))
    first, second = uuid7(), uuid7()
    with correlated(first):
        house.say(("a", 1))
    house.settle()

    with correlated(second), continued("answer", kept[0]):
        house.say(("b", 2))

    told = OutboxRow.objects.get(key="b").headers
    assert format_trace_id(first.int) in traceparent_of(told)
    assert f'"correlationid":"{first}"' in told
    with continued("answer", ""), transaction.atomic():
        publish(Noted(name="c", number=3))
    assert first.hex not in OutboxRow.objects.get(key="c").headers
