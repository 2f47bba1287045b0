"""The readiness of the process that answers, as a metric: one series for each part that it checks."""

from collections.abc import Iterable

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from mcommerce import readiness


class ServerState:
    """A collector for a registry of prometheus_client. It only reads what the checks have found, as probes do."""

    def collect(self) -> Iterable[Metric]:
        """Return 1 for each part that is well, and 0 for each that has a fault."""
        told = "1 while the part is well for the process that answers, else 0."
        ready = GaugeMetricFamily("mcommerce_ready", told, labels=["part"])
        for part, text in readiness.found().items():
            ready.add_metric([part], text == readiness.OK)
        return [ready]
