"""What metrics and traces cost: the same work with them and without them, in one process, in turn."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.core.management import call_command
from django.test import Client
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from benchmarks.handling import GROUP, make_ledger, publish_and_relay, work
from benchmarks.measure import Goal, Row, rate
from benchmarks.sales import SaleMade, skip_backlog
from benchmarks.site import Bench
from benchmarks.type_check import AT_ONCE, ONES, ONES_QUICK, publish_all, publish_each
from eventbus import backends, registry
from eventbus.consuming.worker import Worker
from eventbus.ids import uuid7
from eventbus.measuring import bus_metrics
from eventbus.registry import BATCH_EVENTS
from eventbus.tracing import switch
from eventbus.tracing.exporting import RequestIds
from eventbus.tracing.spans import Spans
from mcommerce.monitoring import http_requests

PAGES = 40  # of a round
ROUNDS = 21  # the cost is less than two commits differ by, so a median needs many
RATIO_MIN = 0.95  # of the speed without
Work = Callable[[], float]


class Encoded(SpanExporter):
    """Does all that sending to a collector needs, but for the network, which is the collector's."""

    def export(self, spans: "list[ReadableSpan]") -> SpanExportResult:  # type: ignore[override]
        encode_spans(spans).SerializeToString()
        return SpanExportResult.SUCCESS


class Uncounted:
    """Stands in for a metric."""

    def add(self, *labels: str, count: float = 1) -> None:
        pass

    def observe(self, *labels: str, seconds: float) -> None:
        pass


def measure(bench: Bench) -> Iterator[Row]:
    provider = TracerProvider(id_generator=RequestIds())
    provider.add_span_processor(BatchSpanProcessor(Encoded()))
    spans = Spans(provider)
    try:
        for name, unit, timed in _works(bench):
            if not name.startswith("publish"):  # publishing counts nothing
                yield _row(bench, f"{name}, counted", unit, timed, _without_counts(timed), "the same without metrics")
            yield _row(bench, f"{name}, traced", unit, _traced(timed, spans), timed, "the same without traces")
    finally:
        provider.shutdown()


def _row(bench: Bench, name: str, unit: str, ours: Work, peer: Work, beside: str) -> Row:
    rounds = bench.rounds if bench.quick else ROUNDS
    return bench.row(name, ours, unit=unit, beside=beside, peer=peer, goal=Goal(ratio_min=RATIO_MIN), rounds=rounds)


def _works(bench: Bench) -> Iterator[tuple[str, str, Work]]:
    sales = [SaleMade(order_id=uuid7(), amount=1900, currency="EUR") for _ in range(AT_ONCE)]
    ones = sales[: ONES_QUICK if bench.quick else ONES]
    yield "publish one", "events/s", lambda: rate(lambda: publish_each(ones), count=len(ones))
    yield f"publish {AT_ONCE} at once", "events/s", lambda: rate(lambda: publish_all(sales), count=AT_ONCE)
    make_ledger()
    skip_backlog()
    worker, count = Worker(registry.groups[GROUP], backends.current()), 4 * BATCH_EVENTS

    def handle() -> float:
        publish_and_relay(count)
        return rate(lambda: work(worker), count=count)

    yield f"handle batches of {BATCH_EVENTS}", "events/s", handle
    call_command("load_demo_catalogue", verbosity=0)
    visitor = Client(SERVER_NAME="127.0.0.1")
    yield "a page", "pages/s", lambda: rate(lambda: [visitor.get("/") for _ in range(PAGES)], count=PAGES)


def _traced(timed: Work, spans: Spans) -> Work:
    def traced() -> float:
        switch.active = spans
        try:
            return timed()
        finally:
            switch.active = None

    return traced


def _without_counts(timed: Work) -> Work:
    def uncounted() -> float:
        with _nothing_is_counted():
            return timed()

    return uncounted


@contextmanager
def _nothing_is_counted() -> Iterator[None]:
    kept = bus_metrics.handled, bus_metrics.appended, http_requests.REQUESTS, http_requests.DURATION
    bus_metrics.handled = bus_metrics.appended = lambda *given: None
    http_requests.REQUESTS = http_requests.DURATION = Uncounted()
    try:
        yield
    finally:
        bus_metrics.handled, bus_metrics.appended, http_requests.REQUESTS, http_requests.DURATION = kept
