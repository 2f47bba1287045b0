"""What Kafka's client does when it gives up, and what its sender makes of that."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException

from eventbus.backends.base import Unsent
from eventbus.backends.kafka.backend import KafkaBackend
from eventbus.backends.kafka.producer import KNOWN_SECONDS, Sender
from eventbus.database.leases import LEASE_SECONDS
from eventbus.errors import LogTruncated, LogUnavailable
from eventbus.models import Progress

ROW = Unsent(1, "house", "house.noted.v1", "vase", b"{}", '{"specversion": "1.0"}')


LARGE = b"[]"  # a payload that the broker will not take


class DyingProducer:
    """Takes a record, hears nothing of it, and dies of a fatal error while what it holds is given up."""

    def __init__(self) -> None:
        self._gives_up, self._dies = False, iter([True])

    def produce(self, topic: str, *, on_delivery: Callable[[Any, Any], None], **record: Any) -> None:
        """Takes it."""

    def purge(self) -> None:
        """Gives up what it holds."""
        self._gives_up = True

    def flush(self, seconds: float) -> int:
        if self._gives_up and next(self._dies, False):  # as the client does between two reports
            raise SystemError("returned a result with an exception set")
        return 1


class HalfDeafProducer:
    """Whatever is sent to `flowers` has no answer, and all else has one at once."""

    now = 0.0

    def __init__(self) -> None:
        self._held: list[tuple[str, Callable[[Any, Any], None]]] = []
        self._taken = 0

    def produce(self, topic: str, *, on_delivery: Callable[[Any, Any], None], **record: Any) -> None:
        """Takes it."""
        self._held.append((topic, on_delivery))

    def purge(self) -> None:
        """Gives up what it holds."""
        for _, report in self._held:
            report(KafkaError(KafkaError._PURGE_QUEUE), None)
        self._held = []

    def flush(self, seconds: float) -> int:
        for topic, report in self._held:
            if topic != "flowers":
                self._taken += 1
                report(None, SimpleNamespace(partition=lambda: 0, offset=lambda offset=self._taken: offset))
        self._held = [(topic, report) for topic, report in self._held if topic == "flowers"]
        if self._held:
            type(self).now += seconds
        return len(self._held)


class ForgetfulProducer:
    """Reports a batch as a client does that has sent it twice: the broker has it, and did not say where it begins."""

    def __init__(self) -> None:
        self._reports: list[Callable[[Any, Any], None]] = []

    def produce(self, topic: str, *, on_delivery: Callable[[Any, Any], None], **record: Any) -> None:
        """Takes it."""
        self._reports.append(on_delivery)

    def flush(self, seconds: float) -> int:
        for report, offset in zip(self._reports, [None, 0, 1], strict=False):
            report(None, SimpleNamespace(partition=lambda: 0, offset=lambda offset=offset: offset))
        return 0


class ChoosyProducer(ForgetfulProducer):
    """Knows that the brokers have no topic for flowers, and takes nothing for it."""

    def produce(self, topic: str, **record: Any) -> None:
        if topic == "flowers":
            raise KafkaException(KafkaError(KafkaError._UNKNOWN_TOPIC))

    def purge(self) -> None:
        """Gives up what it holds."""


class NotingProducer:
    """Acknowledges all at each flush, and notes what it was given between two."""

    now = 0.0

    def __init__(self) -> None:
        self.rounds: list[list[bytes]] = []
        self._held: list[tuple[bytes, Callable[[Any, Any], None]]] = []
        self._taken = 0

    def produce(self, topic: str, *, value: bytes, on_delivery: Callable[[Any, Any], None], **record: Any) -> None:
        """Takes it."""
        self._held.append((value, on_delivery))

    def flush(self, seconds: float) -> int:
        held, self._held = self._held, []
        if held:
            self.rounds.append([value for value, _ in held])
        for _, report in held:
            self._taken += 1
            report(None, SimpleNamespace(partition=lambda: 0, offset=lambda offset=self._taken: offset))
        return 0


class SlowProducer:
    """Refuses whatever comes with a large row, and has each other row acknowledged a second later."""

    now = 0.0

    def __init__(self) -> None:
        self._held: list[tuple[bytes, Callable[[Any, Any], None]]] = []

    def produce(self, topic: str, *, value: bytes, on_delivery: Callable[[Any, Any], None], **record: Any) -> None:
        """Takes it."""
        self._held.append((value, on_delivery))

    def purge(self) -> None:
        """Gives up what it holds."""

    def flush(self, seconds: float) -> int:
        held, self._held = self._held, []
        if not held:
            return 0
        if any(value == LARGE for value, _ in held):
            for _, report in held:
                report(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE), None)
            return 0
        type(self).now += 1
        for offset, (_, report) in enumerate(held):
            report(None, SimpleNamespace(partition=lambda: 0, offset=lambda offset=offset: offset))
        return 0


def sender_over(make: Callable[[], Any]) -> Sender:
    """It sends by what this makes, to topics that the brokers call as we do."""
    return Sender(make, lambda topic: topic, lambda row: 0)


def test_rows_that_go_alone_leave_time_to_beat_the_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventbus.backends.kafka.producer.monotonic", lambda: SlowProducer.now)
    sender = sender_over(SlowProducer)
    rows = [ROW._replace(id=number) for number in range(1, 9)] + [ROW._replace(id=9, payload=LARGE)]
    sent: list[int] = []
    turns = 0

    while True:
        began, turns = SlowProducer.now, turns + 1
        outcome = sender.send(rows)
        assert SlowProducer.now - began < LEASE_SECONDS + 1  # the last may begin in time and end after it
        sent += [one.id for one in outcome.sent]
        rows = [row for row in rows if row.id not in sent]
        if outcome.rejected:
            break

    assert (sent, list(outcome.rejected)) == ([1, 2, 3, 4, 5, 6, 7, 8], [9])
    assert turns > 1


def test_what_has_no_answer_holds_up_and_blames_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventbus.backends.kafka.producer.monotonic", lambda: HalfDeafProducer.now)
    sender = sender_over(HalfDeafProducer)
    assert sender.send([ROW]).error == ""
    flowers = [ROW._replace(id=number, topic="flowers") for number in (2, 3)]
    known = [ROW._replace(id=number) for number in (4, 5)]
    new = [ROW._replace(id=number, key="lamp") for number in (6, 7, 8)]

    outcome = sender.send([*flowers, *known, *new])

    assert sorted(one.id for one in outcome.sent) == [4, 5, 6, 7, 8]
    assert outcome.untaken == {2}
    assert HalfDeafProducer.now < LEASE_SECONDS


@pytest.fixture
def noting(monkeypatch: pytest.MonkeyPatch) -> NotingProducer:
    monkeypatch.setattr(NotingProducer, "now", 0.0)
    monkeypatch.setattr("eventbus.backends.kafka.producer.monotonic", lambda: NotingProducer.now)
    return NotingProducer()


def numbered(*rows: tuple[str, int]) -> list[Unsent]:
    """Rows by key and number; the number is their payload as well."""
    return [ROW._replace(id=number, key=key, payload=b"%d" % number) for key, number in rows]


def test_one_row_of_a_key_goes_before_all_others_where_the_broker_may_have_forgotten_the_producer(
    noting: NotingProducer,
) -> None:
    sender = sender_over(lambda: noting)

    sender.send(numbered(("vase", 1), ("vase", 2), ("vase", 3)))
    NotingProducer.now += KNOWN_SECONDS - 1
    sender.send(numbered(("vase", 4), ("vase", 5)))
    NotingProducer.now += KNOWN_SECONDS - 1  # since the last
    sender.send(numbered(("vase", 6), ("vase", 7)))
    NotingProducer.now += KNOWN_SECONDS
    sender.send(numbered(("vase", 8), ("vase", 9)))

    assert noting.rounds == [[b"1"], [b"2", b"3"], [b"4", b"5"], [b"6", b"7"], [b"8"], [b"9"]]


def test_a_key_that_was_forgotten_for_the_sake_of_others_is_introduced_again(
    noting: NotingProducer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eventbus.backends.kafka.producer.KEYS_KNOWN_MAX", 2)
    sender = sender_over(lambda: noting)

    sender.send(numbered(("vase", 1), ("lamp", 2), ("rug", 3)))
    sender.send(numbered(("sofa", 4), ("vase", 5), ("vase", 6)))  # is known: forgotten only after this
    sender.send(numbered(("lamp", 7), ("lamp", 8), ("vase", 9), ("vase", 10)))

    assert noting.rounds == [[b"1", b"2", b"3"], [b"4", b"5", b"6"], [b"7", b"9", b"10"], [b"8"]]


def test_a_topic_that_was_not_even_tried_is_not_to_blame() -> None:
    sender = sender_over(ChoosyProducer)

    outcome = sender.send([ROW._replace(topic="flowers"), ROW._replace(id=2)])

    assert (outcome.sent, outcome.untaken) == ([], {1})
    assert outcome.error.startswith("2 of 2 events were not taken")


@pytest.mark.django_db
def test_what_lies_nobody_knows_where_is_sent_again_and_no_log_is_thought_lost() -> None:
    log = KafkaBackend(servers="127.0.0.1:1")
    log._sender = sender_over(ForgetfulProducer)
    log._partitions._placed_by["house"] = 1
    Progress.objects.create(group="house-a", topic="house", partition=0, start=0, offset=9)

    with pytest.raises(LogUnavailable, match="sent again") as raised:
        log.append([ROW, ROW._replace(id=2), ROW._replace(id=3)], lambda: None)

    assert not isinstance(raised.value, LogTruncated)


def test_a_client_that_dies_while_a_batch_is_given_up_is_a_log_that_is_away() -> None:
    sender = sender_over(DyingProducer)

    outcome = sender.send([ROW])

    assert (outcome.sent, outcome.rejected) == ([], {})
    assert outcome.error == "1 of 1 events were not taken: no answer in time"


def test_nothing_is_sent_behind_a_row_that_the_broker_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eventbus.backends.kafka.producer.monotonic", lambda: SlowProducer.now)
    rows = [ROW, ROW._replace(id=2, payload=LARGE), ROW._replace(id=3)]

    outcome = sender_over(SlowProducer).send(rows)

    assert ([one.id for one in outcome.sent], list(outcome.rejected)) == ([1], [2])
