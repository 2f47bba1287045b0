"""A real Apache Kafka loses everything, and nobody's events are lost, repeated or out of order."""

import json
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest
from django.db import OperationalError, transaction

from eventbus import Permanent, clock, handles, publish
from eventbus.audit import delivery_audit
from eventbus.backends.kafka.backend import KafkaBackend
from eventbus.errors import LogUnavailable
from eventbus.failpoints import FailedHere, armed
from eventbus.models import DeadLetter, OperatorAction, OutboxRow, ParkedEvent, TopicLog
from eventbus.processes.dispatcher import Dispatcher
from eventbus.publishing.relay import Relay
from tests.eventbus.bus_app import House, Mended, Noted, Sown, Unknown
from tests.eventbus.bus_app_on_kafka import WAIT_SECONDS, in_use, replace
from tests.eventbus.database_obstacles import contention_at
from tests.eventbus.test_commands import run
from tests.eventbus.test_kafka_backend import LONG, SMALL_MESSAGES, settled
from tests.kafka import Cluster
from tests.waiting import until

TOPIC = Noted.topic


def lose(cluster: Cluster, log: KafkaBackend) -> None:
    """Its disk is gone, and an operator has made its topics again."""
    cluster.wipe()
    cluster.start()
    log.provision([TOPIC])


def balanced() -> bool:
    return delivery_audit.problems(delivery_audit.read()) == []


@pytest.mark.cluster
def test_a_broker_that_lost_all_is_filled_again_and_all_is_handled_once_in_order(
    fresh_kafka: Cluster, fresh_log: KafkaBackend, house: House
) -> None:
    broken = Mended("vase", error=Permanent("poison"))
    house.handler("house-a", broken)
    house.handler("house-b")
    with closing(Dispatcher.start_in_process()) as dispatcher:
        until(dispatcher.active.is_set, "a relay")
        house.say(*(("chair", number) for number in range(20)), ("vase", 1), ("vase", 2))
        until(lambda: len(house.seen("house-b")) == 22 and ParkedEvent.objects.exists(), "all handled or parked")

        lose(fresh_kafka, fresh_log)
        house.say(("chair", 20), ("vase", 3), ("lamp", 1))

        until(lambda: len(house.seen("house-b")) == 25, "the new ones handled", seconds=WAIT_SECONDS)
        until(lambda: ParkedEvent.objects.count() == 2, "the vase waits", seconds=WAIT_SECONDS)
        broken.names.clear()
        DeadLetter.objects.update(request="requeue")
        until(lambda: len(house.seen("house-a")) == 25, "what had died as well", seconds=WAIT_SECONDS)
        until(balanced, "the delivery audit balances")

    for group in ("house-a", "house-b"):
        assert house.seen(group, "chair") == list(range(21))
        assert house.seen(group, "vase") == [1, 2, 3]
    assert not TopicLog.objects.filter(refill_to__gt=0).exists()


def test_what_a_group_had_passed_without_a_trace_is_not_handled_because_a_disk_died(
    replaced: KafkaBackend, house: House
) -> None:
    house.handler("house-a")
    house.say(("vase", 1))
    house.settle()
    house.handler("house-b")  # it begins after the first
    with transaction.atomic():
        publish(Unknown(name="vase"))
    house.say(("vase", 2))
    house.settle()

    replace(replaced)
    house.restart()
    handles(Unknown, group="house-a")(lambda event: house.write("house-a", Noted(name="unknown", number=0)))
    house.say(("vase", 3))
    house.settle()

    assert house.seen("house-a") == [("vase", 1), ("vase", 2), ("vase", 3)]
    assert house.seen("house-b") == [("vase", 2), ("vase", 3)]
    assert delivery_audit.problems(delivery_audit.read()) == []


def test_a_log_that_ends_before_what_it_gave_out_is_filled_again(replaced: KafkaBackend, house: House) -> None:
    house.handler()
    house.say(("vase", 1), ("vase", 2))
    house.settle()
    TopicLog.objects.all().delete()  # as before the first release that noted which log it is
    house.restart()
    replace(replaced)
    house.say(("vase", 3))

    Relay(replaced).begin()
    house.settle()

    assert house.seen() == [("vase", 1), ("vase", 2), ("vase", 3)]
    assert len(house.log()) == 3


def test_a_loss_that_the_database_could_not_take_down_at_once_is_not_forgotten(
    replaced: KafkaBackend, house: House
) -> None:
    """The log has grown meanwhile behind all that it ever gave out: nothing would ever tell of the loss again."""
    house.handler()
    relay = Relay(replaced)
    house.say(("vase", 1), ("vase", 2))
    relay.step()
    replace(replaced)
    TopicLog.objects.update(generation=replaced.generations([TOPIC])[TOPIC])
    house.say(*(("vase", number) for number in range(3, 8)))

    for _ in range(2):
        with contention_at('UPDATE "eventbus_topiclog"'), pytest.raises(OperationalError):
            relay.step()
    assert sum(replaced.ends(replaced.partitions([TOPIC])).values()) == 5, "it has sent more behind the loss"
    relay.step()
    house.settle()

    assert house.seen(name="vase") == [1, 2, 3, 4, 5, 6, 7]
    assert delivery_audit.problems(delivery_audit.read()) == []


def test_a_log_that_no_group_reads_is_filled_again_at_once_though_others_have_more_to_say(
    replaced: KafkaBackend, house: House
) -> None:
    """Events of its own that came first would lie before what was lost."""
    replaced.provision([Sown.topic])
    relay = Relay(replaced)
    house.say(("vase", 1), ("vase", 2))
    relay.step()
    [(_, partition)] = [place for place, end in replaced.ends(replaced.partitions([TOPIC])).items() if end]
    with transaction.atomic():
        publish(Sown(name="rose", number=1))

    relay._look.lost({(TOPIC, partition): 0})
    relay.step()

    assert OutboxRow.objects.filter(topic=TOPIC, offset=None).count() == 2


def test_a_log_made_anew_with_other_partitions_waits_for_somebody(replaced: KafkaBackend, house: House) -> None:
    house.handler()
    house.say(("vase", 1))
    house.settle()
    replaced.topics._partitions = 3
    replace(replaced)

    relay = Relay(replaced)
    for _ in range(2):
        with pytest.raises(LogUnavailable, match="with 3 partitions where it had 4"):
            relay.step()

    assert OutboxRow.objects.filter(offset=None).count() == 0


def test_a_death_in_the_middle_of_it_changes_nothing(replaced: KafkaBackend, house: House) -> None:
    house.handler()
    house.say(("vase", 1))
    house.settle()
    house.restart()
    replace(replaced)
    for point in ("refill.passed", "refill.commit"):
        with armed(f"{point}=error"), pytest.raises(FailedHere):
            Relay(replaced).step()
        assert OutboxRow.objects.filter(offset=None).count() == 0

    house.settle()

    assert house.seen() == [("vase", 1)]
    assert len(house.log()) == 1


def test_a_log_that_is_filled_again_is_full_when_it_refuses_what_the_old_one_took(
    replaced: KafkaBackend, kafka: str, house: House
) -> None:
    house.handler(call=Mended("vase", error=Permanent("poison")))
    house.say(("vase", 1), ("vase", 2), (LONG, 1))
    house.settle()

    replace(replaced)
    with in_use(KafkaBackend(servers=kafka, prefix=replaced._prefix, clients=SMALL_MESSAGES)):
        rejected = OutboxRow.objects.exclude(rejected="")
        until(lambda: settled(house) and rejected.exists(), "the long one rejected", seconds=WAIT_SECONDS)

    assert not TopicLog.objects.filter(refill_to__gt=0).exists()
    assert ParkedEvent.objects.get().offset == OutboxRow.objects.filter(key="vase").order_by("-id")[0].offset


def test_an_operator_appends_a_stretch_again_and_nothing_is_handled_twice(
    replaced: KafkaBackend, house: House, bus_clock: Any
) -> None:
    house.handler()
    house.say(("vase", 1))
    bus_clock.advance(hours=2)
    house.say(("vase", 2), ("lamp", 1))
    house.settle()
    since = (clock.now() - timedelta(hours=1)).isoformat()

    code, said, _ = run("eventbus", "republish", "--since", since, "--topic", TOPIC, "--dry-run", "--json")
    assert (code, json.loads(said)["topics"]) == (0, [{"topic": TOPIC, "events": 2}])
    assert len(house.log()) == 3
    code, said, _ = run("eventbus", "republish", "--since", since, "--json")
    assert (code, json.loads(said)["topics"]) == (0, [{"topic": TOPIC, "events": 2}])
    assert delivery_audit.problems(delivery_audit.read()) == []
    left = OperatorAction.objects.get()
    assert (left.action, left.error) == ("republish", f"{TOPIC}: 2 events that were told since {since}")
    assert "command line" in left.who
    house.say(("vase", 3))
    house.settle()

    assert len(house.log()) == 6
    assert house.seen(name="vase") == [1, 2, 3]
    assert house.seen(name="lamp") == [1]
    assert delivery_audit.problems(delivery_audit.read()) == []


def test_a_log_in_memory_has_nothing_to_be_appended_again(house: House) -> None:
    code, _, complaint = run("eventbus", "republish", "--since", "2026-11-25T08:00:00Z")

    assert (code, complaint.partition(":")[0]) == (1, "This log is the outbox")
