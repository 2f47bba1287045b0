"""A real Apache Kafka lets go of events before a group came to them: its handlers see them all, once and in order."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka import TopicPartition as Place
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource

from eventbus import Permanent, clock
from eventbus.audit import delivery_audit
from eventbus.backends.kafka.backend import KafkaBackend
from eventbus.backends.kafka.brokers.topics import ANSWER_SECONDS
from eventbus.consuming import outbox_backfill
from eventbus.errors import StaleEpoch
from eventbus.failpoints import FailedHere, armed
from eventbus.models import ConsumerGroup, DeadLetter, LostRecords, OutboxRow, ParkedKey, Progress
from eventbus.operations import pausing, status
from eventbus.recovery import log_problems
from eventbus.testing import Crash
from tests.eventbus.bus_app import House, Mended, Noted
from tests.eventbus.bus_app_on_kafka import FLUSH_SECONDS, WAIT_SECONDS
from tests.eventbus.test_commands import run
from tests.waiting import until

TOPIC = Noted.topic
NAMES = ["vase", *(f"key{number}" for number in range(12))]  # they lie in several partitions


@pytest.fixture
def log(replaced: KafkaBackend, monkeypatch: pytest.MonkeyPatch) -> Iterator[KafkaBackend]:
    """What the process uses, and nobody waits until it is time for a look."""
    monkeypatch.setattr(outbox_backfill, "LOOK_SECONDS", 0.0)
    yield replaced


def let_go(log: KafkaBackend, *, but: int = 0) -> None:
    """What retention does, or `kafka-delete-records.sh`: all is gone, but for the last few of each partition."""
    ends = log.ends(log.partitions([TOPIC]))
    asked = [Place(log.topics.name(TOPIC), one.partition, max(0, end - but)) for one, end in ends.items()]
    for answer in log._admin_client().delete_records(asked).values():
        answer.result(ANSWER_SECONDS)


def say_each(house: House, *numbers: int) -> None:
    house.say(*((name, number) for number in numbers for name in NAMES))
    house.relay()


def pause(house: House) -> None:
    pausing.pause(ConsumerGroup.objects.get(name="house-a"), "ada")
    house.settle()


def resume() -> None:
    pausing.resume(ConsumerGroup.objects.get(name="house-a"), "ada")


def all_seen_once_in_order(house: House, last: int) -> None:
    assert {name: house.seen(name=name) for name in NAMES} == dict.fromkeys(NAMES, list(range(1, last + 1)))
    assert delivery_audit.problems(delivery_audit.read()) == []
    assert not LostRecords.objects.exists()


def by_others(log: KafkaBackend, key: str, **settings: Any) -> Producer:
    """Another program has put an event of its own into the partition of a key."""
    stranger = Producer({"bootstrap.servers": log._servers} | settings)
    if settings:
        stranger.init_transactions(FLUSH_SECONDS)
        stranger.begin_transaction()
    partition = OutboxRow.objects.filter(key=key).order_by("-id")[0].partition
    stranger.produce(log.topics.name(TOPIC), b"{}", key=key.encode(), partition=partition)
    if settings:
        stranger.commit_transaction(FLUSH_SECONDS)
    assert stranger.flush(FLUSH_SECONDS) == 0, "no acknowledgement"
    return stranger


def compact(log: KafkaBackend) -> None:
    """Somebody has set the topic so that the brokers keep only the newest of each key, and soon."""
    configs = {
        "cleanup.policy": "compact",
        "segment.ms": "1",
        "min.cleanable.dirty.ratio": "0.0001",
        "max.compaction.lag.ms": "1",
    }
    entries = [ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET) for key, value in configs.items()]
    resource = ConfigResource(ConfigResource.Type.TOPIC, log.topics.name(TOPIC), incremental_configs=entries)
    log._admin_client().incremental_alter_configs([resource])[resource].result(WAIT_SECONDS)


@pytest.mark.parametrize("left", [0, 1])
@pytest.mark.parametrize("process", ["the same process", "a new one"])
def test_what_retention_took_while_a_group_was_paused_is_handled_from_the_outbox(
    process: str, left: int, log: KafkaBackend, house: House
) -> None:
    house.handler()
    say_each(house, 1)
    house.settle()
    pause(house)
    say_each(house, 2, 3, 4)

    let_go(log, but=left)
    if process == "a new one":
        house.restart()
    resume()
    until(lambda: house.settle() or len(house.seen()) == 4 * len(NAMES), "what the log does not have any more")
    say_each(house, 5)
    house.settle()

    all_seen_once_in_order(house, 5)


def test_more_than_a_batch_of_each_partition_comes_before_what_the_log_goes_on_with(
    log: KafkaBackend, house: House
) -> None:
    house.handler(batch=3)
    say_each(house, *range(1, 21))
    let_go(log)
    say_each(house, 21, 22)

    house.settle()

    all_seen_once_in_order(house, 22)
    assert {name for name, _ in house.seen()[:20]} - {"vase"}, "partitions take turns"


def test_an_event_that_fails_there_parks_its_key_and_those_behind_it_wait(log: KafkaBackend, house: House) -> None:
    broken = Mended("vase", error=Permanent("poison"))
    house.handler(call=broken)
    say_each(house, 1, 2)
    let_go(log)
    say_each(house, 3)

    house.settle()
    assert house.parked() == ["vase"]
    assert house.waiting() == [2, 3]
    broken.names.clear()
    DeadLetter.objects.update(request="requeue")
    house.settle()

    all_seen_once_in_order(house, 3)
    assert not ParkedKey.objects.exists()


def test_a_death_in_the_middle_of_it_handles_nothing_twice(log: KafkaBackend, house: House) -> None:
    deaths = [Crash(), Crash()]

    def die(event: Noted) -> None:
        if event.number == 5 and deaths:
            raise deaths.pop()

    house.handler(call=die, batch=2)
    say_each(house, *range(1, 9))
    let_go(log, but=3)

    house.settle()

    assert deaths == []
    all_seen_once_in_order(house, 8)


def test_what_was_sent_and_has_no_place_yet_is_waited_for(log: KafkaBackend, house: House) -> None:
    """The relay died before it could note where its last events lie, and the log has let go of them."""
    house.handler()
    say_each(house, 1)
    house.settle()
    house.restart()
    house.say(*((name, 2) for name in NAMES))
    with armed("append.acknowledged=error"), pytest.raises(FailedHere):
        house.relay()
    let_go(log)
    worker = house.worker()
    for _ in range(5):
        house.step(worker)
    offsets = dict(Progress.objects.filter(group="house-a").values_list("partition", "offset"))
    ends = {place.partition: end for place, end in log.ends(log.partitions([TOPIC])).items()}
    assert all(offsets[partition] < end for partition, end in ends.items() if end), "the group has passed nothing"

    worker.leave()
    house.relay()
    house.settle()
    assert {name: house.seen(name=name) for name in NAMES} == dict.fromkeys(NAMES, [1, 2])
    assert delivery_audit.problems(delivery_audit.read()) == []


def test_what_the_outbox_has_not_either_is_named_until_somebody_has_seen_to_it(
    log: KafkaBackend, house: House, caplog: pytest.LogCaptureFixture
) -> None:
    house.handler()
    say_each(house, 1)
    by_others(log, "vase")
    by_others(log, "vase")
    say_each(house, 2)
    let_go(log)
    [[partition, begin]] = OutboxRow.objects.filter(key="vase").order_by("-id").values_list("partition", "offset")[:1]
    house.restart()
    house.settle()
    house.restart()
    house.settle()

    assert {name: house.seen(name=name) for name in NAMES} == dict.fromkeys(NAMES, [1, 2])
    [lost] = LostRecords.objects.all()
    assert (lost.group, lost.topic, lost.partition, lost.begin, lost.count) == ("house-a", TOPIC, partition, 0, 2)
    [said] = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert said in status.problems(status.status(), dispatches=True)
    assert f"Group house-a lost 2 records of {TOPIC}/{partition}" in said
    assert json.loads(run("eventbus", "lost", "--json")[1])[0]["count"] == 2

    assert run("eventbus", "lost", "--accept", str(lost.pk))[0] == 0
    assert log_problems.read(log) == []
    house.restart()
    say_each(house, 3)
    house.settle()
    assert {name: house.seen(name=name) for name in NAMES} == dict.fromkeys(NAMES, [1, 2, 3]), "nothing comes again"
    assert "No records are lost that" in run("eventbus", "lost")[1]
    assert "house-a" in run("eventbus", "lost", "--all")[1]
    assert run("eventbus", "lost", "--reopen", str(lost.pk))[0] == 0
    assert log_problems.read(log) == [said]
    assert run("eventbus", "lost", "--accept", "999999")[0] == 2


def test_nothing_is_republished_while_a_group_has_some_of_it_to_read_from_the_outbox(
    log: KafkaBackend, house: House
) -> None:
    house.handler()
    say_each(house, 1)
    house.settle()
    pause(house)
    say_each(house, 2, 3)
    let_go(log, but=1)
    since = ["--since", (clock.now() - timedelta(hours=1)).isoformat()]

    code, _, complaint = run("eventbus", "republish", *since)
    assert code == 1
    assert "Group house-a has yet to read from the outbox" in complaint
    resume()
    until(lambda: house.settle() or len(house.seen()) == 3 * len(NAMES), "what the log does not have any more")
    assert run("eventbus", "republish", *since)[0] == 0
    house.settle()

    all_seen_once_in_order(house, 3)


def test_a_topic_that_somebody_has_compacted_loses_no_event_for_a_group_that_lags(
    log: KafkaBackend, house: House
) -> None:
    house.handler()
    say_each(house, 1)
    house.settle()
    pause(house)
    compact(log)
    last = 1

    def is_compacted() -> bool:
        nonlocal last
        last += 1
        say_each(house, last)
        return len(house.log()) < OutboxRow.objects.count()

    until(is_compacted, "the brokers keep only the newest of each key", seconds=WAIT_SECONDS)
    resume()
    house.restart()
    house.settle()

    all_seen_once_in_order(house, last)


def test_another_worker_that_takes_over_goes_on_with_it(log: KafkaBackend, house: House) -> None:
    house.handler(batch=2)
    say_each(house, *range(1, 9))
    let_go(log)
    worker = house.worker()
    until(lambda: house.step(worker) and len(house.seen()) > 4, "it has begun")

    house.taken_over()
    with pytest.raises(StaleEpoch):
        while True:
            house.step(worker)
    worker.leave()
    say_each(house, 9)
    house.settle()

    all_seen_once_in_order(house, 9)
