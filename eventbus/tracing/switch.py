"""The switch of tracing in this process: off until `start`, which a site without a collector never calls."""

import atexit
from typing import TYPE_CHECKING

from django.conf import settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

    from eventbus.tracing.spans import Spans

_provider: "TracerProvider | None" = None
active: "Spans | None" = None  # what makes spans in this process; None: nothing is traced


def start(role: str) -> None:
    """Trace this process from now on, if the settings name a service (EVENTBUS["TRACED_AS"]). Repeats do nothing.

    `role`: of this process, such as "relay". The collector's address, the sampler and the limits come from the
    environment, by OpenTelemetry's own names.
    """
    global active, _provider
    service = str(settings.EVENTBUS.get("TRACED_AS") or "")
    if active is not None or not service:
        return
    from eventbus.tracing.exporting import provider_of
    from eventbus.tracing.spans import Spans

    _provider = provider_of(service, role)
    active = Spans(_provider)
    atexit.register(stop)


def stop() -> None:
    """Send the spans that wait. Repeats do nothing, and later spans are dropped.

    It runs at exit. A server that ends without Python's exit hooks calls it last.
    """
    if _provider is not None:
        _provider.shutdown()


def trace_id() -> str:
    """Return the id of the present trace in hexadecimal; "" outside every span."""
    return "" if active is None else active.trace_id()
