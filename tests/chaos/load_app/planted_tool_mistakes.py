"""Faults in what answers poison and Kafka's own tools, planted as those of `sabotage` are."""

from typing import Any

from tests.chaos.load_app.planted_mistakes import LOST, OTHERS, fault
from tests.chaos.restored_events import GHOSTS


@fault("a broken world never blamed", OTHERS, "poison: statement timeout")
def _never_blamed() -> None:
    """An event that always runs into a timeout is waited for as if the database were away."""
    from eventbus.failures.poison_suspicion import Suspicion, Verdict

    Suspicion.met = lambda self, record, error, *, seconds: Verdict.EXCUSED  # type: ignore[method-assign]


@fault("what the log let go of skipped", LOST, "log cut behind a group")
def _skipped_ahead() -> None:
    """As a client does by itself: it goes on where the log begins."""
    from eventbus.consuming.outbox_backfill import Backfill

    Backfill._open = lambda self, consumer, place, begin, end: self._seek(consumer, place, end)  # type: ignore[method-assign]


@fault("keys placed by what the brokers show", LOST, "partitions added")
def _placed_anywhere() -> None:
    """Partitions that somebody added get keys, and no group reads them."""
    from eventbus.backends.kafka import key_partitions

    key_partitions.Partitions.of = lambda self, row: key_partitions.partition_of(row.key, self._ask(row.topic, 5))  # type: ignore[method-assign]


@fault("a log that went back never noticed", LOST, "Kafka restored")
def _log_not_noticed() -> None:
    """Groups stand beyond its end, and what is appended before their places is read by none."""
    from eventbus.backends.kafka.backend import KafkaBackend
    from eventbus.recovery import reused_offsets
    from eventbus.recovery.log_truncation import TruncationDetector

    reused_offsets.refuse = lambda records: None
    TruncationDetector.found = TruncationDetector.at_once = lambda self, topics: set()  # type: ignore[method-assign]
    KafkaBackend._refuse_places_given_before = lambda *arguments: None  # type: ignore[method-assign]


@fault("ghosts of a restored database handled", GHOSTS, "PostgreSQL restored")
def _ghosts() -> None:
    """What the log holds is believed, whether the outbox has it or not."""
    from eventbus.recovery import own_outbox_rows

    own_outbox_rows.trusted = lambda records: []


@fault("what lies ahead of a worker that leaves skipped", LOST, "upgrade")
def _leaves_it() -> None:
    """It says that all is handled, for it had fetched some of it."""
    from eventbus.backends import current
    from eventbus.consuming.worker import Worker
    from eventbus.models import Progress

    right = Worker._release

    def release(self: Any) -> None:
        for place in self._trusted():
            row = Progress.objects.filter(group=self.group.name, topic=place.topic, partition=place.partition)
            row.update(offset=current().end(place))
        right(self)

    Worker._release = release  # type: ignore[method-assign]
