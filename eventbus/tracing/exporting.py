"""Send the spans of this process to a collector over OTLP/HTTP, in a thread of the SDK."""

import os
import socket

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator

from eventbus.ids import uuid7
from eventbus.tracing import request_context


class RequestIds(IdGenerator):
    """Ids by which a request's trace has the id of the request: one search finds events, log lines and spans."""

    generate_span_id = RandomIdGenerator.generate_span_id

    def generate_trace_id(self) -> int:
        """Return the correlation id of the present request, or a new id."""
        request = request_context.current()
        return (request or uuid7()).int


def provider_of(service: str, role: str) -> TracerProvider:
    """Return what makes spans and sends them. `role`: of this process, such as "relay"."""
    told = {
        "service.name": service,
        "service.instance.id": f"{socket.gethostname()}-{os.getpid()}",
        "mcommerce.role": role,
    }
    provider = TracerProvider(resource=Resource.create(told), id_generator=RequestIds(), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider
