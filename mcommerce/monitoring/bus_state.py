"""The state of the bus and the faults of the site as metrics, read from the database: all processes share it."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator

from django.db import DatabaseError, InterfaceError, connection
from django.db.models import Count
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from eventbus.models import DeadLetter
from eventbus.operations import status
from eventbus.operations.status import Status
from mcommerce.overview.faults import Fault, faults, faults_without_database
from mcommerce.readiness.impatience import LOCKS, PAGE_LOCK_SECONDS, limited

logger = logging.getLogger(__name__)

WAIT_SECONDS = 1.0  # for another thread's reading
KEPT_SECONDS = 5.0  # several scrapers share one reading; alerts wait for longer than that anyway
GROUP = ["group", "topic"]


class BusState:
    """A collector of the bus's state, for a registry of prometheus_client. Without a database it has one metric: 0."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._metrics: list[Metric] = []

    def collect(self) -> Iterable[Metric]:
        """Return the state, at most KEPT_SECONDS old. While another thread reads it for longer, return the last one."""
        if not self._lock.acquire(timeout=WAIT_SECONDS):
            return self._metrics  # a slow database must not keep all threads of the pages
        try:
            if time.monotonic() > self._read_at + KEPT_SECONDS:
                self._metrics = list(_read())
                self._read_at = time.monotonic()
            return self._metrics
        finally:
            self._lock.release()

    def forget(self) -> None:
        """Read anew at the next question. For tests."""
        with self._lock:
            self._read_at = float("-inf")


def _read() -> Iterator[Metric]:
    readable = _gauge("eventbus_state_readable", "1 while the state of the bus can be read from the database, else 0.")
    try:
        with limited(LOCKS, PAGE_LOCK_SECONDS):  # a scraper gets the other metrics before it gives up
            found, dead = status.status(), _dead()
            wrong = faults(found)
    except (DatabaseError, InterfaceError) as error:
        logger.info("The state of the bus cannot be read: %s", error)
        connection.close()
        readable.add_metric([], 0)
        yield from (readable, _faults(faults_without_database()))
        return
    readable.add_metric([], 1)
    yield readable
    yield from _of_groups(found)
    yield from _of_failures(found, dead)
    yield from _of_outbox(found)
    yield from _of_processes(found)
    yield _faults(wrong)


def _dead() -> list[tuple[str, str, int]]:
    letters = DeadLetter.objects.filter(state=DeadLetter.State.OPEN).order_by()
    return list(letters.values_list("group", "type").annotate(count=Count("id")))


def _of_groups(found: Status) -> Iterator[Metric]:
    lag = _gauge("eventbus_lag_events", "Events in the log that the group has not passed.", GROUP)
    waits = _gauge("eventbus_lag_seconds", "Age of the oldest event that the group has not passed.", GROUP)
    for one in found.groups:
        if one.lag is not None:
            lag.add_metric([one.group, one.topic], one.lag)
        waits.add_metric([one.group, one.topic], one.waiting_seconds)
    yield from (lag, waits)
    groups = sorted({one.group for one in found.groups})
    still = {one.group: one for one in found.standstills}
    yield _each(
        "eventbus_breaker_open",
        "1 while the circuit breaker of the group is open, else 0.",
        groups,
        lambda group: group in still and still[group].breaker_opened_at is not None,
    )
    yield _each(
        "eventbus_paused",
        "1 while an operator has paused the group, else 0.",
        groups,
        lambda group: group in still and still[group].paused_at is not None,
    )


def _of_failures(found: Status, dead: Iterable[tuple[str, str, int]]) -> Iterator[Metric]:
    parked = _gauge("eventbus_parked_keys", "Keys whose events wait behind a failed one.", [*GROUP, "state"])
    for one in found.groups:
        parked.add_metric([one.group, one.topic, "retrying"], one.retrying_keys)
        parked.add_metric([one.group, one.topic, "dead"], one.dead_keys)
    yield parked
    letters = _gauge("eventbus_dead_letters", "Dead letters that wait for an operator.", ["group", "type"])
    for group, kind, count in dead:
        letters.add_metric([group, kind], count)
    yield letters


def _of_outbox(found: Status) -> Iterator[Metric]:
    outbox = found.outbox
    yield _one("eventbus_outbox_events", "Committed events that are not in the log yet.", outbox.depth)
    yield _one("eventbus_outbox_oldest_seconds", "Age of the oldest of them; 0 without any.", outbox.oldest_seconds)
    yield _one("eventbus_outbox_rejected_events", "Events that the log has rejected.", outbox.rejected)
    yield _one("eventbus_timers", "Events that wait for their time.", found.timers.count)
    overdue = (found.at - found.timers.next_due).total_seconds() if found.timers.next_due else 0.0
    yield _one("eventbus_timers_overdue_seconds", "Seconds since the first timer was due.", max(0.0, overdue))


def _of_processes(found: Status) -> Iterator[Metric]:
    counts: dict[tuple[str, str], int] = {}
    for one in found.processes:
        named = (one.role, "silent" if one.silent else "alive")
        counts[named] = counts.get(named, 0) + 1
    processes = _gauge("eventbus_processes", "Processes of the site by role, silent or alive.", ["role", "state"])
    for (role, state), count in sorted(counts.items()):
        processes.add_metric([role, state], count)
    yield processes


def _faults(found: Iterable[Fault]) -> Metric:
    """Return one series for each fault of the overview, by its id: the notices name the same."""
    metric = _gauge("mcommerce_fault", "1 for each fault that the overview names now.", ["kind", "about"])
    for one in sorted({fault.id for fault in found}):
        kind, _, about = one.partition(":")
        metric.add_metric([kind, about], 1)
    return metric


def _gauge(name: str, told: str, labels: Iterable[str] = ()) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, told, labels=list(labels))


def _one(name: str, told: str, value: float) -> Metric:
    metric = _gauge(name, told)
    metric.add_metric([], value)
    return metric


def _each(name: str, told: str, groups: Iterable[str], is_so: Callable[[str], bool]) -> Metric:
    metric = _gauge(name, told, ["group"])
    for group in groups:
        metric.add_metric([group], is_so(group))
    return metric
