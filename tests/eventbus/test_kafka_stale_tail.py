"""What relays put into a Kafka log that was lost, before anybody knew that it was."""

import threading
from typing import Any

import pytest
from confluent_kafka import TopicPartition as Place

from eventbus import Permanent, clock, registry
from eventbus.audit import delivery_audit
from eventbus.backends.kafka.backend import KafkaBackend
from eventbus.consuming.worker import Worker
from eventbus.errors import LogTruncated, LogUnavailable, StaleEpoch
from eventbus.failpoints import FailedHere, armed
from eventbus.models import DeadLetter, OutboxRow, ParkedKey, TopicLog
from eventbus.publishing.relay import Relay
from tests.eventbus.bus_app import House, Mended, Noted
from tests.eventbus.bus_app_on_kafka import WAIT_SECONDS, replace
from tests.eventbus.busy_site import prune_a_day_later

TOPIC = Noted.topic


def let_go_of(log: KafkaBackend, key: str, records: int) -> None:
    """The brokers' retention has ended for the first records of this key's partition."""
    [partition] = OutboxRow.objects.filter(key=key).values_list("partition", flat=True).distinct()
    place = Place(log.topics.name(TOPIC), partition, records)
    for answer in log._admin_client().delete_records([place]).values():
        answer.result(WAIT_SECONDS)


def work_without_a_relay(log: KafkaBackend) -> None:
    """A worker handles all that lies in the log."""
    worker = Worker(registry.groups["house-a"], log)
    worker.catch_up(WAIT_SECONDS)
    while worker.step():
        pass
    worker.leave()


def test_what_was_appended_before_the_loss_was_known_does_not_come_before_what_waits(
    replaced: KafkaBackend, house: House, bus_clock: Any
) -> None:
    broken = Mended(error=Permanent("poison"))
    house.handler(call=broken)
    relay = Relay(replaced)
    house.say(*(("vase", number) for number in range(1, 6)))
    relay.step()
    house.settle()
    let_go_of(replaced, "vase", 4)
    assert prune_a_day_later(bus_clock).events == 4  # so the new log is shorter
    broken.names.add("vase")
    house.say(("vase", 6), ("vase", 7), ("vase", 8))
    relay.step()
    house.settle()
    assert house.waiting() == [7, 8]
    house.restart()
    replace(replaced)
    house.say(("vase", 9))
    relay._look._looked = float("inf")  # just before

    with pytest.raises(LogTruncated):
        relay.step()
    relay.step()
    with armed("append.acknowledged=error"), pytest.raises(FailedHere):
        relay.step()  # the group is faster than the relay

    work_without_a_relay(replaced)
    assert house.waiting() == [7, 8, 9]
    house.settle()
    assert house.waiting() == [7, 8, 9]
    assert delivery_audit.problems(delivery_audit.read()) == []
    broken.names.clear()
    DeadLetter.objects.update(request="requeue")
    house.settle()
    assert house.seen(name="vase") == list(range(1, 10))
    assert delivery_audit.problems(delivery_audit.read()) == []


def test_what_a_relay_that_has_just_begun_puts_into_a_new_log_is_handled_as_well(
    replaced: KafkaBackend, house: House, bus_clock: Any
) -> None:
    """It has appended nothing itself, and the places in which that would lie are free: they were pruned."""
    house.handler()
    house.say(*(("vase", number) for number in range(1, 6)))
    house.settle()
    let_go_of(replaced, "vase", 4)
    assert prune_a_day_later(bus_clock).events == 4
    house.restart()
    relay = Relay(replaced)
    relay.begin()
    replace(replaced)
    house.say(("vase", 6))
    relay._look._looked = float("inf")  # just before

    with pytest.raises(LogTruncated):
        relay.step()
    house.settle()

    assert house.seen(name="vase") == [1, 2, 3, 4, 5, 6]
    assert delivery_audit.problems(delivery_audit.read()) == []


@pytest.mark.parametrize("error", [Permanent("poison"), ValueError("too early")], ids=["dead", "retrying"])
def test_what_comes_once_its_key_was_moved_to_the_refilled_logs_place_waits_behind_it(
    error: Exception, replaced: KafkaBackend, house: House
) -> None:
    """A relay died after it had appended both, so that both lie there twice; a worker had seen the first of them."""
    broken, stop = Mended("vase", error=error), threading.Event()

    def fail_twice(event: Noted) -> None:
        if broken.calls == 1:
            stop.set()  # between the two events
        broken(event)

    house.handler(call=fail_twice)
    relay = Relay(replaced)
    house.say(("vase", 1))
    relay.step()
    replace(replaced)
    house.restart()
    relay = Relay(replaced)
    relay.begin()
    house.say(("vase", 2))
    with armed("append.acknowledged=error"), pytest.raises(FailedHere):
        relay.step()
    worker = house.worker(stop=stop)
    house.step(worker)
    worker.leave()
    assert broken.calls == 2
    relay.step()
    assert not TopicLog.objects.filter(refill_to__gt=0).exists()

    work_without_a_relay(replaced)
    broken.names.clear()
    DeadLetter.objects.update(request="requeue")
    ParkedKey.objects.update(due_at=clock.now())
    house.settle()

    assert house.seen(name="vase") == [1, 2]
    assert delivery_audit.problems(delivery_audit.read()) == []


@pytest.mark.parametrize("meanwhile", ["nothing", "a worker", "a death"])
def test_a_log_that_lost_its_end_under_a_running_relay_is_filled_again_though_its_name_is_the_same(
    meanwhile: str, replaced: KafkaBackend, house: House
) -> None:
    """As where a broker's machine lost its power, and what was not on the disk yet."""
    house.handler()
    relay = Relay(replaced)
    house.say(("vase", 1), ("vase", 2))
    relay.step()
    replace(replaced)
    TopicLog.objects.update(generation=replaced.generations([TOPIC])[TOPIC])
    house.say(*(("vase", number) for number in range(3, 8)))  # the log is longer than it was at once
    with pytest.raises(LogTruncated):
        relay.step()
    if meanwhile == "a worker":
        with pytest.raises(LogUnavailable, match="waits for the relay"):
            work_without_a_relay(replaced)
    if meanwhile == "a death":
        replaced.reset()
        relay = Relay(replaced)
        relay.begin()

    relay.step()
    house.settle()

    assert house.seen(name="vase") == [1, 2, 3, 4, 5, 6, 7]
    assert delivery_audit.problems(delivery_audit.read()) == []


def test_a_worker_that_runs_handles_nothing_more_of_a_log_that_has_lost_something(
    replaced: KafkaBackend, house: House
) -> None:
    house.handler()
    worker, relay = house.worker(), Relay(replaced)
    house.say(("vase", 1))
    relay.step()
    assert house.step(worker) == 1
    house.say(("vase", 2))
    relay.step()

    relay._look.lost({(TOPIC, 0): 0})

    with pytest.raises(StaleEpoch):
        house.step(worker)
    worker.leave()
    relay.step()
    house.settle()
    assert house.seen(name="vase") == [1, 2]
    assert delivery_audit.problems(delivery_audit.read()) == []


def test_what_a_log_lost_before_a_worker_read_it_is_not_taken_for_handled(
    replaced: KafkaBackend, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that runs may be as fast as the relay, and finds what was put into the place of what was lost."""
    house.handler()
    worker, relay = house.worker(), Relay(replaced)
    house.say(("vase", 1))
    relay.step()
    assert house.step(worker) == 1
    house.say(("vase", 2), ("vase", 3))
    [partition] = OutboxRow.objects.filter(offset=0).values_list("partition", flat=True)
    for place, row in enumerate(OutboxRow.objects.filter(offset=None).order_by("id"), start=1):
        OutboxRow.objects.filter(id=row.pk).update(partition=partition, offset=place, appended_at=clock.now())
    replaced._given.clear()  # so Kafka has acknowledged them, and has lost them
    house.say(*(("vase", number) for number in range(4, 9)))
    lost = relay._look.lost

    def lost_a_moment_later(places: Any) -> None:
        with pytest.raises(LogTruncated, match="was the offset of another event"):
            house.step(worker)
        lost(places)

    monkeypatch.setattr(relay._look, "lost", lost_a_moment_later)
    with pytest.raises(LogTruncated):
        relay.step()
    assert house.seen(name="vase") == [1]
    worker.leave()
    relay.step()
    house.settle()

    assert house.seen(name="vase") == [1, 2, 3, 4, 5, 6, 7, 8]
    assert delivery_audit.problems(delivery_audit.read()) == []


def test_what_a_relay_appended_before_it_died_does_not_come_before_what_was_lost(
    replaced: KafkaBackend, house: House
) -> None:
    house.handler()
    relay = Relay(replaced)
    house.say(("vase", 1), ("vase", 2), ("lamp", 1))
    relay.step()
    replace(replaced)
    house.say(("vase", 3), ("vase", 4))
    relay._look._looked = float("inf")  # just before
    with pytest.raises(LogTruncated):
        relay.step()

    replaced.reset()  # its process is gone
    Relay(replaced).begin()
    house.settle()

    assert house.seen(name="vase") == [1, 2, 3, 4]
    assert house.seen(name="lamp") == [1]
    assert delivery_audit.problems(delivery_audit.read()) == []


def test_a_group_that_was_behind_reads_nothing_of_a_new_log_before_it_is_filled_again(
    replaced: KafkaBackend, house: House
) -> None:
    house.handler()
    relay = Relay(replaced)
    house.say(("vase", 1))
    relay.step()
    house.settle()
    house.say(("vase", 2), ("vase", 3))
    relay.step()
    house.restart()
    replace(replaced)
    house.say(("vase", 4), ("vase", 5), ("vase", 6))  # the first lies where the group has been, the others behind it
    relay._look._looked = float("inf")  # just before
    with pytest.raises(LogTruncated):
        relay.step()

    with pytest.raises(LogUnavailable, match="waits for the relay"):
        work_without_a_relay(replaced)
    Relay(replaced).begin()
    house.settle()

    assert house.seen(name="vase") == [1, 2, 3, 4, 5, 6]
    assert delivery_audit.problems(delivery_audit.read()) == []


def test_a_topic_that_no_group_reads_is_filled_again_as_well(replaced: KafkaBackend, house: House) -> None:
    relay = Relay(replaced)
    house.say(("vase", 1), ("vase", 2))
    relay.step()
    replace(replaced)
    house.restart()
    relay._look._looked = float("inf")  # just before
    house.say(("vase", 3))
    with pytest.raises(LogTruncated):
        relay.step()

    house.settle()

    assert [record.key for record in house.log()] == ["vase"] * 4  # the stray, and then all of them
    assert list(OutboxRow.objects.order_by("id").values_list("offset", flat=True)) == [1, 2, 3]
