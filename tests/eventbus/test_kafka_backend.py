"""The backend over a real Apache Kafka keeps the whole contract, on the database that the settings name."""

import json
from collections.abc import Iterable, Iterator
from contextlib import closing
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka import TopicPartition as Place
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource
from django.db import transaction
from django.db.models import Sum

from eventbus import backends, failpoints, publish
from eventbus.audit import delivery_audit
from eventbus.backends.base import TopicPartition, Unsent, partition_of
from eventbus.backends.kafka.backend import KafkaBackend
from eventbus.backends.kafka.brokers.topics import ANSWER_SECONDS
from eventbus.errors import LogUnavailable
from eventbus.events import KEY_CHARACTERS_MAX
from eventbus.models import OutboxRow, ParkedKey, Progress
from eventbus.publishing import rejected_records
from eventbus.publishing.relay import Relay
from tests.eventbus.backend_contract import BackendContract
from tests.eventbus.bus_app import House, Mended, Noted, Unknown
from tests.eventbus.bus_app_on_kafka import WAIT_SECONDS, BackendAtHand, HouseOnKafka, open_house_on_kafka, replace
from tests.eventbus.busy_site import many, places, prune_a_day_later
from tests.waiting import until

LONG = "x" * KEY_CHARACTERS_MAX  # the key of an event that is larger than the others

LIMIT_BYTES = 1_200  # more than an ordinary event's record, less than that one's
PARTITIONS = 4  # of a topic, where nothing else is declared
SMALL_MESSAGES = {"message.max.bytes": str(LIMIT_BYTES)}


class ForgetfulKafka(BackendAtHand):
    """Nobody can move a broker's clock: here retention ends at once for what every group has passed, but the newest."""

    retains = False

    def earliest_offsets(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        places = list(partitions)
        if not self.retains:
            self._let_go(places)
        return super().earliest_offsets(places)

    def _let_go(self, places: Iterable[TopicPartition]) -> None:
        passed: dict[TopicPartition, list[int]] = {}
        for row in Progress.objects.all():
            passed.setdefault(TopicPartition(row.topic, row.partition), []).append(row.offset)
        asked = [
            Place(self._named(place.topic), place.partition, min(min(passed[place]), max(0, self.end(place) - 1)))
            for place in places
            if place in passed
        ]
        for answer in self._admin_client().delete_records(asked).values():
            answer.result(ANSWER_SECONDS)


def limit(backend: KafkaBackend, name: str, value: int) -> None:
    """What an operator may have set of the house's topic."""
    entry = ConfigEntry(name, str(value), incremental_operation=AlterConfigOpType.SET)
    topic = ConfigResource(ConfigResource.Type.TOPIC, backend.topics.name(Noted.topic), incremental_configs=[entry])
    backend._admin_client().incremental_alter_configs([topic])[topic].result(ANSWER_SECONDS)


def settled(house: House) -> bool:
    """Whether the log took, or rejected, all that it was asked to."""
    try:
        house.settle()
    except LogUnavailable:
        return False
    return True


def offered_again(house: House) -> bool:
    """The same for what was rejected; once more where the broker had not heard yet that it may take it."""
    for row in rejected_records.rejected():
        rejected_records.resend(row, "Ada")
    return settled(house)


class TestKafkaBackend(BackendContract):
    @pytest.fixture
    def house(self, transactional_db: None, kafka: str) -> Iterator[House]:
        with open_house_on_kafka(kafka, ForgetfulKafka) as house:
            yield house

    def test_what_kafka_can_still_show_stays_and_is_not_handled_again(
        self, house: HouseOnKafka, bus_clock: Any
    ) -> None:
        house.backend.retains = True
        house.handler()
        house.say(*many())
        house.settle()

        assert prune_a_day_later(bus_clock).events == 0

        house.rewind()
        house.settle()
        assert house.seen() == many()
        house.backend.retains = False
        assert prune_a_day_later(bus_clock).events == 4

    def test_it_is_the_one_that_runs(self, house: House) -> None:
        assert isinstance(backends.current(), KafkaBackend)

    def test_what_kafka_holds_twice_and_nobody_handles_was_ignored_once(self, house: House) -> None:
        house.handler()
        with transaction.atomic():
            publish(Unknown(name="vase"))

        with failpoints.armed("append.acknowledged=break"), pytest.raises(failpoints.BrokeHere):
            house.relay()  # Kafka has it, and no row says so
        house.settle()

        counted = Progress.objects.filter(group="house-a").aggregate(ignored=Sum("ignored"))
        assert counted == {"ignored": 2}
        assert places() == {"ignored": 1}

    def test_what_was_pruned_before_a_loss_hides_no_repeats_after_it(self, house: HouseOnKafka, bus_clock: Any) -> None:
        """It lay in the log that is gone, and fills no place in the one that was made anew."""
        house.handler()
        house.say(*many())
        house.settle()
        assert prune_a_day_later(bus_clock).events == 4
        replace(house.backend)
        with transaction.atomic():
            publish(Unknown(name="vase"))
        Relay(house.backend).begin()

        with failpoints.armed("append.acknowledged=break"), pytest.raises(failpoints.BrokeHere):
            house.relay()  # Kafka has the last of before and the new one, and no row says so
        house.settle()

        assert len(house.log()) == 4, "each twice"
        assert house.seen() == many()
        assert places() == {"handled": 5, "ignored": 1}
        assert delivery_audit.problems(delivery_audit.read()) == []

    def test_what_waits_and_lies_twice_in_kafka_has_its_event(self, house: House) -> None:
        house.handler(call=Mended("vase"))
        house.say(("vase", 1))

        with failpoints.armed("append.acknowledged=break"), pytest.raises(failpoints.BrokeHere):
            house.relay()
        house.settle()

        assert ParkedKey.objects.count() == 1
        assert delivery_audit.problems(delivery_audit.read()) == []

    def test_what_the_broker_refuses_is_set_aside_and_takes_no_other_key_with_it(self, house: HouseOnKafka) -> None:
        """One record is over the topic's limit. Small ones went in the same batch, before and behind it."""
        house.handler()
        limit(house.backend, "max.message.bytes", LIMIT_BYTES)
        house.say(("chair", 1), (LONG, 1), ("chair", 2), (LONG, 2), *(("vase", number) for number in range(5)))

        until(lambda: settled(house) and OutboxRow.objects.exclude(rejected="").exists(), "it", seconds=WAIT_SECONDS)

        assert house.seen(name="chair") == [1, 2]
        assert house.seen(name="vase") == list(range(5))
        rejected = OutboxRow.objects.exclude(rejected="")
        assert [(row.key, json.loads(bytes(row.payload))["number"]) for row in rejected] == [(LONG, 1)]
        assert house.seen(name=LONG) == []

        limit(house.backend, "max.message.bytes", 100 * LIMIT_BYTES)
        until(lambda: offered_again(house) and house.seen(name=LONG) == [1, 2], "both", seconds=WAIT_SECONDS)


def test_what_the_client_itself_does_not_take_is_not_overtaken_by_the_next_of_its_key(db: None, kafka: str) -> None:
    with closing(KafkaBackend(servers=kafka, prefix=f"{uuid4().hex[:8]}.", clients=SMALL_MESSAGES)) as backend:
        backend.provision([Noted.topic])
        backend._partitions._placed_by[Noted.topic] = PARTITIONS  # as a relay has learnt before it sends
        large, small = (
            Unsent(number, Noted.topic, Noted.wire_type(), "vase", b"x" * size, '{"id":"1"}')
            for number, size in ((1, 2 * LIMIT_BYTES), (2, 10))
        )

        outcome = backend._sender.send([large, small])

        assert (outcome.sent, list(outcome.rejected)) == ([], [large.id])
        assert sum(backend.ends(backend.partitions([Noted.topic])).values()) == 0


def test_nothing_overtakes_what_the_broker_refuses_of_a_producer_that_it_does_not_know_yet(
    db: None, kafka: str
) -> None:
    """A broker takes any first number of one. Each record goes in a request of its own, several at a time."""
    clients = {"batch.num.messages": 1}
    with closing(KafkaBackend(servers=kafka, prefix=f"{uuid4().hex[:8]}.", clients=clients)) as backend:
        backend.provision([Noted.topic])
        backend._partitions._placed_by[Noted.topic] = PARTITIONS  # as a relay has learnt before it sends
        limit(backend, "max.message.bytes", LIMIT_BYTES)
        elsewhere = next(
            key for key in "abcdefghi" if partition_of(key, PARTITIONS) != partition_of("vase", PARTITIONS)
        )
        large = Unsent(2, Noted.topic, Noted.wire_type(), "vase", b"x" * 2 * LIMIT_BYTES, '{"id":"1"}')
        small = [large._replace(id=number, payload=b"x") for number in range(3, 30)]
        assert backend._sender.send([large._replace(id=1, key=elsewhere, payload=b"x")]).sent, "it has begun"

        outcome = backend._sender.send([large, *small])

        assert (outcome.sent, list(outcome.rejected)) == ([], [large.id])
        assert sum(backend.ends(backend.partitions([Noted.topic])).values()) == 1
