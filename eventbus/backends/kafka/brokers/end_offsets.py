"""The first offsets and the ends of partitions, as the brokers report them."""

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # its stubs export less than it does
    AdminClient,
    OffsetSpec,
)

from eventbus.backends.kafka.brokers.topics import ANSWER_SECONDS, LOOK_SECONDS
from eventbus.errors import LogUnavailable

# Errors of a client that has seen more leader elections than the brokers know of, or fewer, and does not correct
# itself. The last of these errors comes from the client itself, for every partition of the request.
OUTDATED = {KafkaError.FENCED_LEADER_EPOCH, KafkaError.UNKNOWN_LEADER_EPOCH, KafkaError._NOENT}

CLOCKS_DIFFER = timedelta(minutes=1)  # of this machine and of other programs', at most


def ends(admin: AdminClient, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
    """Return the end of each partition. Raises KafkaException and TimeoutError."""
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    return {partition: answer.result(ANSWER_SECONDS).offset for partition, answer in _ask(admin, partitions, latest)}


def ends_now(
    admin: AdminClient, partitions: Iterable[TopicPartition], on_error: Callable[[Exception], object]
) -> dict[TopicPartition, int]:
    """Return the ends that the brokers give within LOOK_SECONDS. Call `on_error` for each of the other partitions.

    The wait is short because the caller must renew its lease, or poll for records.
    """
    found = {}
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    for partition, answer in _ask(admin, partitions, latest, LOOK_SECONDS):
        try:
            found[partition] = answer.result(LOOK_SECONDS).offset
        except (KafkaException, TimeoutError) as error:
            on_error(error)
    return found


def since(admin: AdminClient, partition: TopicPartition, at: datetime) -> int | None:
    """Return the first offset whose record has this time or a later one; None if no record has.

    The time of a record is that of its producer, unless the topic says otherwise. A transaction's mark counts as a
    record. Raises KafkaException and TimeoutError.
    """
    later = OffsetSpec.for_timestamp(int(at.timestamp() * 1000))
    [(_partition, answer)] = _ask(admin, [partition], later)
    found = int(answer.result(ANSWER_SECONDS).offset)
    return found if found >= 0 else None


def begins(
    admin: AdminClient, partitions: Iterable[TopicPartition], passes: Callable[[Exception], bool]
) -> dict[TopicPartition, int]:
    """Return the first offset of each partition. Those whose error `passes` by itself are left out.

    Raises LogUnavailable for any other error.
    """
    found = {}
    earliest = OffsetSpec.earliest()  # type: ignore[no-untyped-call]
    for partition, answer in _ask(admin, partitions, earliest):
        try:
            found[partition] = answer.result(ANSWER_SECONDS).offset
        except (KafkaException, TimeoutError) as error:
            if not passes(error):
                raise LogUnavailable(f"Kafka does not say where its log begins: {error}") from error
    return found


def _ask(
    admin: AdminClient, partitions: Iterable[TopicPartition], which: OffsetSpec, seconds: float = ANSWER_SECONDS
) -> Iterator[tuple[TopicPartition, Any]]:
    asked = dict.fromkeys(partitions, which)
    yield from (admin.list_offsets(asked, request_timeout=seconds) if asked else {}).items()


def is_outdated(error: Exception) -> bool:
    """Return True if the error shows that the client is outdated, so that a new client may get an answer."""
    return isinstance(error, KafkaException) and error.args[0].code() in OUTDATED


class Unread:
    """Tells whether a record waits at an offset. It remembers the offsets at which only a transaction's mark lies."""

    def __init__(self) -> None:
        self._marks: dict[TopicPartition, tuple[int, datetime]] = {}

    def waits(
        self,
        place: tuple[TopicPartition, int],
        before: datetime,
        since: Callable[[datetime], int | None],
        records: Callable[[], Iterator[object]],
    ) -> bool:
        """Return True if a record with a time `before` this one lies at the offset or after it.

        `place`: a partition and an offset. `since(at)`: see `since` of this module. `records()` yields the records from
        the offset on, up to the end.
        """
        partition, offset = place
        later = since(before)
        if later is not None and later <= offset:
            return False
        known, at = self._marks.get(partition, (None, before))
        if known == offset and since(at) is None:
            return False  # nothing has come behind the mark
        now = datetime.now(UTC)  # of the machine, as in the records, and not the bus's clock, which tests move
        found = any(True for _record in records())
        if not found:
            self._marks[partition] = (offset, now - CLOCKS_DIFFER)
        return found
