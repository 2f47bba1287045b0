"""What a Kafka reader decides by itself: when it polls, how long it keeps a partition, when a client is no good."""

import threading
from collections.abc import Callable
from types import SimpleNamespace

import pytest
from confluent_kafka import OFFSET_BEGINNING

from eventbus.backends.base import TopicPartition
from eventbus.backends.kafka.reading import poll_interval, stalls
from eventbus.backends.kafka.reading.partition_buffer import PartitionBuffer
from eventbus.backends.kafka.reading.poll_interval import HURRIES_SECONDS, HURRY_SECONDS, POLL_SECONDS, PollInterval
from eventbus.backends.kafka.reading.revocation_guard import RevocationGuard
from eventbus.backends.kafka.reading.stalls import AGAIN_SECONDS, LOOK_SECONDS, Stalled, Stalls

VASES, LAMPS = TopicPartition("vases", 0), TopicPartition("lamps", 0)


class Clock:
    """The monotonic clock of one module."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in (poll_interval, stalls):
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=clock.monotonic))
    return clock


def test_a_reader_polls_often_while_partitions_move_and_seldom_after(clock: Clock) -> None:
    interval = PollInterval()

    assert interval.seconds() == HURRY_SECONDS, "it has just joined"
    clock.now += HURRIES_SECONDS
    assert interval.seconds() == POLL_SECONDS
    interval.hurry()
    assert interval.seconds() == HURRY_SECONDS


def test_a_partition_is_given_away_at_once_when_the_worker_is_not_to_be_waited_for(
    caplog: pytest.LogCaptureFixture,
) -> None:
    guard = RevocationGuard(threading.Condition(), 0)

    with guard.at_work():
        guard.wait(lambda: True)
        assert caplog.text == ""
        guard.wait(lambda: False)
        assert "may be read by another" in caplog.text


def test_work_that_begins_while_a_partition_is_taken_away_is_not_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    guard = RevocationGuard(threading.Condition(), 0)
    work = [guard.at_work(), guard.at_work()]
    work[0].__enter__()

    def ends_and_begins_more() -> bool:
        if len(work) == 2:
            work.pop(0).__exit__(None, None, None)
            work[0].__enter__()
        return False

    guard.wait(ends_and_begins_more)

    assert caplog.text == ""


def stalls_over(ends: dict[TopicPartition, int]) -> Callable[[dict[TopicPartition, int]], None]:
    """Looks of a reader to which the brokers tell these ends."""
    return Stalls(lambda asked: {one: ends[one] for one in asked if one in ends}).look


def test_a_reader_that_has_all_keeps_its_client(clock: Clock) -> None:
    look = stalls_over({VASES: 5, LAMPS: 7})

    for _ in range(3):
        look({VASES: 5, LAMPS: 7})
    look({})


def test_a_reader_that_gets_nothing_of_what_is_there_takes_a_new_client_once(clock: Clock) -> None:
    look = stalls_over({VASES: 5, LAMPS: 7})
    look({VASES: 4, LAMPS: 7})

    with pytest.raises(Stalled, match="nothing comes of vases/0 at 4, and there is more") as raised:
        look({VASES: 4, LAMPS: 7})
    assert raised.value.ends == {}
    for _ in range(2):  # the log may end with what no client returns
        clock.now += LOOK_SECONDS
        look({VASES: 4, LAMPS: 7})
    clock.now += AGAIN_SECONDS
    with pytest.raises(Stalled):
        look({VASES: 4, LAMPS: 7})


def test_a_reader_beyond_the_end_takes_a_new_client_at_once_and_is_told_the_end(clock: Clock) -> None:
    look = stalls_over({VASES: 3, LAMPS: 7})

    with pytest.raises(Stalled, match="vases/0 ends at 3, and was read farther") as raised:
        look({VASES: 4, LAMPS: 7})

    assert raised.value.ends == {VASES: 3}


def test_a_client_reads_a_partition_of_which_nothing_has_come_from_its_beginning() -> None:
    buffer = PartitionBuffer()

    assert not buffer.had(0)
    assert buffer.begin() == OFFSET_BEGINNING
    assert buffer.next == 0
