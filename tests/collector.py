"""A collector of spans for tests: it takes what processes send over OTLP/HTTP, and shows traces whole."""

import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


@dataclass(frozen=True)
class Seen:
    """A span, with the role of its process. Ids are in hexadecimal; `parent` is "" for the first of a trace."""

    name: str
    role: str
    trace: str
    id: str
    parent: str
    links: frozenset[str]


class Collector:
    """What has been received so far."""

    def __init__(self) -> None:
        self.url = ""
        self._lock = threading.Lock()
        self._seen: list[Seen] = []

    def take(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        found = [
            Seen(
                span.name,
                next((one.value.string_value for one in of.resource.attributes if one.key == "mcommerce.role"), ""),
                span.trace_id.hex(),
                span.span_id.hex(),
                span.parent_span_id.hex(),
                frozenset(link.trace_id.hex() for link in span.links),
            )
            for of in request.resource_spans
            for scope in of.scope_spans
            for span in scope.spans
        ]
        with self._lock:
            self._seen += found

    def trace(self, trace: str) -> list[Seen]:
        with self._lock:
            return [one for one in self._seen if one.trace == trace]

    def all(self) -> list[Seen]:
        with self._lock:
            return list(self._seen)


def loose_ends(spans: list[Seen]) -> list[str]:
    """The names of spans whose parent is not among these, but for the first: a connected trace has none."""
    ids = {one.id for one in spans}
    ends = [one.name for one in spans if one.parent not in ids]
    return ends[1:] if len(ends) != 1 else []


@contextmanager
def running_collector() -> Iterator[Collector]:
    collector = Collector()

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.take(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.end_headers()
            self.wfile.write(ExportTraceServiceResponse().SerializeToString())

        def log_message(self, *given: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    collector.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
