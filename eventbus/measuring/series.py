"""Counters, histograms and gauges with labels, and a limit of how many series each may have."""

from bisect import bisect_left
from collections.abc import Iterable
from typing import Any

import prometheus_client
from prometheus_client import CollectorRegistry

from eventbus.measuring import process_files

registry = CollectorRegistry()  # every metric of this process
LABEL_CHARACTERS_MAX = 80  # of a label's value: longer than any name of ours
VALUE_BYTES_MAX = 400  # of one value in a file, with its labels and its help text
OTHER = "other"  # the labels of everything beyond a metric's limit of series

_declared: "list[Series]" = []


class Series:
    """A metric of prometheus_client with its series, by the values of its labels.

    There are at most `limit` of them, for which the file has room. Every label is a name of the code or of the
    settings. The limit is for the day when one is not.
    """

    values_each = 1  # numbers that one series keeps

    def __init__(self, metric: Any, limit: int) -> None:
        self.limit = limit
        self.metric = metric
        self._series: dict[tuple[str, ...], Any] = {}
        _declared.append(self)

    def of(self, labels: tuple[str, ...]) -> Any:
        """Return the series with these labels, or the one of all others."""
        return self._series.get(labels) or self._begin(labels)

    def _begin(self, labels: tuple[str, ...]) -> Any:
        process_files.use()
        if len(self._series) >= self.limit - 1:
            return self.metric.labels(*[OTHER] * len(labels))
        told = [text[:LABEL_CHARACTERS_MAX] for text in labels]
        try:
            found = self.metric.labels(*told)
        except OSError as error:  # nothing that is counted may fail for that
            process_files.leave(error)
            found = self.metric.labels(*told)
        self._series[labels] = found
        return found


class Counter(Series):
    """A number that only grows. Its name ends with `_total`."""

    def __init__(self, name: str, told: str, *labels: str, limit: int) -> None:
        super().__init__(prometheus_client.Counter(name, told, labels, registry=registry), limit)

    def add(self, *labels: str, count: float = 1) -> None:
        """Count what happened."""
        self.of(labels).inc(count)


class Gauge(Series):
    """A number of present things, summed over the living processes."""

    def __init__(self, name: str, told: str, *labels: str, limit: int) -> None:
        metric = prometheus_client.Gauge(name, told, labels, registry=registry, multiprocess_mode="livesum")
        super().__init__(metric, limit)

    def add(self, *labels: str, count: float) -> None:
        """Count what has come, or with a negative count what has gone."""
        self.of(labels).inc(count)


class Histogram(Series):
    """Durations in seconds, counted by ranges. Its name ends with `_seconds`."""

    def __init__(self, name: str, told: str, *labels: str, bounds: tuple[float, ...], limit: int) -> None:
        metric = prometheus_client.Histogram(name, told, labels, registry=registry, buckets=bounds)
        super().__init__(metric, limit)
        self._bounds = bounds
        self.values_each = len(bounds) + 2  # the last range has no bound, and there is the sum

    def observe(self, *labels: str, seconds: float) -> None:
        """Count one duration."""
        self.of(labels).observe(seconds)

    def observe_all(self, *labels: str, seconds: Iterable[float]) -> None:
        """Count many durations, with one write for each range and not for each duration."""
        counts = [0] * (len(self._bounds) + 1)
        total = 0.0
        for one in seconds:
            counts[bisect_left(self._bounds, one)] += 1
            total += one
        series = self.of(labels)
        for bucket, count in zip(series._buckets, counts, strict=True):
            if count:
                bucket.inc(count)
        series._sum.inc(total)


def declared() -> list[Series]:
    """Return every metric that the modules loaded so far have declared."""
    return list(_declared)


def bytes_needed(kind: str) -> int:
    """Return the bytes that all series of a kind need at most: `counter`, `gauge` or `histogram`."""
    return sum(one.limit * one.values_each * VALUE_BYTES_MAX for one in _declared if one.metric._type == kind)
