"""The counts of the bus: what each group handled, what failed, and how long events waited. One write for a batch."""

import time
from collections import Counter as Tally
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from eventbus import clock
from eventbus.envelope_texts import published_at
from eventbus.events import Record
from eventbus.measuring.series import Counter, Histogram

GROUPS_MAX = 30  # groups of a large site; each has a dozen numbers in a histogram
TYPES_MAX = 250  # pairs of a group and a type that it handles
GROUP_AND_TYPE = ("group", "type")

APPENDED = Counter("eventbus_appended_total", "Events that the relay has appended to the log.", "topic", limit=30)
HANDLED = Counter("eventbus_handled_total", "Events that the group has handled.", *GROUP_AND_TYPE, limit=TYPES_MAX)
FAILED = Counter("eventbus_failed_total", "Attempts to handle an event that failed.", *GROUP_AND_TYPE, limit=TYPES_MAX)
RETRIED = Counter("eventbus_retried_total", "Further attempts at a parked event.", *GROUP_AND_TYPE, limit=TYPES_MAX)
LATENCY = Histogram(
    "eventbus_latency_seconds",
    "Seconds from the publication of an event until it is handled.",
    "group",
    bounds=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 600.0),
    limit=GROUPS_MAX,
)
EFFECTS = Counter("eventbus_effects_total", "Calls of effects by outcome.", "group", "outcome", limit=2 * GROUPS_MAX)
EFFECT_DURATION = Histogram(
    "eventbus_effect_duration_seconds",
    "Seconds that a call of an effect took.",
    "group",
    bounds=(0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0),
    limit=GROUPS_MAX,
)


def appended(topics: Sequence[str]) -> None:
    """Count the topics of appended events."""
    for topic, count in Tally(topics).items():
        APPENDED.add(topic, count=count)


def handled(group: str, records: Sequence[Record]) -> None:
    """Count records that a group has handled, and how long they waited. Call it after the commit."""
    if not records:
        return
    for kind, count in Tally([record.type for record in records]).items():
        HANDLED.add(group, kind, count=count)
    LATENCY.observe_all(group, seconds=_waits(records))


def _waits(records: Sequence[Record]) -> Iterator[float]:
    now, told, at = clock.now(), "", None
    for record in records:
        text = published_at(record.headers)
        if text != told:  # the events of one call of `publish` have the same
            told, at = text, _moment(text)
        if at is not None:
            yield max(0.0, (now - at).total_seconds())


def _moment(text: str) -> datetime | None:
    """Parse an event's attribute `time`. None if it is no time or has no zone: no wait can be measured from it."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:  # another program's event, which need not have a time
        return None
    return found if found.tzinfo else None


def failed(group: str, record: Record) -> None:
    """Count a failed attempt."""
    FAILED.add(group, record.type)


def retried(group: str, record: Record) -> None:
    """Count a further attempt."""
    RETRIED.add(group, record.type)


@contextmanager
def effect(group: str) -> Iterator[None]:
    """Count a call of an effect, and measure it."""
    begun, outcome = time.perf_counter(), "failed"
    try:
        yield
        outcome = "answered"
    finally:
        EFFECTS.add(group, outcome)
        EFFECT_DURATION.observe(group, seconds=time.perf_counter() - begun)
