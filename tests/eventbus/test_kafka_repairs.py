"""Over a real Apache Kafka a group has lost events, which the log has let go of: a repair has them handled, say the
handlers."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from confluent_kafka import TopicPartition as Place
from django.db import transaction

from eventbus import clock, publish
from eventbus.audit import delivery_audit
from eventbus.backends.base import TopicPartition
from eventbus.backends.kafka.backend import KafkaBackend
from eventbus.backends.kafka.brokers.topics import ANSWER_SECONDS
from eventbus.consuming.outbox_backfill import Backfill
from eventbus.events import Record
from eventbus.models import ConsumerGroup, LostRecords, OutboxRow
from eventbus.operations import pausing
from eventbus.operations.pruning import Pruning
from eventbus.progress import log_generations
from eventbus.recovery import lost_records
from tests.eventbus.bus_app import House, Noted, Unknown
from tests.eventbus.bus_app_on_kafka import replace
from tests.eventbus.busy_site import places
from tests.eventbus.contract.test_dead_letters import pass_over
from tests.eventbus.test_commands import run

LOST = [("vase", number) for number in range(1, 6)]
LATER = [("vase", number) for number in range(6, 12)]


def retention_passes(log: KafkaBackend) -> None:
    """What Kafka does once the retention of all that it holds is over."""
    asked = [Place(log.topics.name(Noted.topic), place.partition, end) for place, end in _ends(log) if end]
    for answer in log._admin_client().delete_records(asked).values():
        answer.result(ANSWER_SECONDS)


def _ends(log: KafkaBackend) -> Any:
    return log.ends(log.partitions([Noted.topic])).items()


@pytest.fixture(autouse=True)
def _read_the_log_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """As an earlier release did: now a group reads from the outbox what the log has let go of."""

    def begin(self: Backfill, consumer: Any, progress: Any) -> None:
        for place, row in progress.items():
            consumer.seek(place, row.offset)

    monkeypatch.setattr(Backfill, "begin", begin)
    monkeypatch.setattr(Backfill, "fetch", lambda self, consumer, records_max: consumer.fetch(records_max))
    monkeypatch.setattr(Backfill, "put_back", lambda self, consumer, records: consumer.seek(*_place(records[0])))


def _place(record: Record) -> tuple[TopicPartition, int]:
    return TopicPartition(record.topic, record.partition), record.offset


@pytest.fixture
def lagging(replaced: KafkaBackend, house: House) -> Iterator[KafkaBackend]:
    """Group a was paused for longer than the log keeps its records, and somebody moved it to where the log begins.

    So did the worker itself before it read such a stretch from the outbox. Group b has handled the five.
    """
    house.handler("house-a")
    house.handler("house-b")
    group = ConsumerGroup.objects.get(name="house-a")
    pausing.pause(group, "ada")
    house.say(*LOST)
    house.settle()
    retention_passes(replaced)
    pass_over("vase")
    pausing.resume(group, "ada")
    house.restart()
    house.say(*LATER)
    house.settle()
    yield replaced


def since() -> str:
    return (clock.now() - timedelta(hours=1)).isoformat()


def lost() -> list[tuple[str, int]]:
    """By group, how many the audit calls lost."""
    return [(one.group, one.count) for one in delivery_audit.read().violations if one.what == delivery_audit.LOST]


def test_what_the_log_let_go_of_is_lost_by_name(lagging: KafkaBackend, house: House) -> None:
    assert (house.seen("house-a"), house.seen("house-b")) == (LATER, LOST + LATER)

    assert lost() == [("house-a", 5)]
    [violation] = delivery_audit.read().violations
    assert set(violation.event_ids) <= set(OutboxRow.objects.order_by("id").values_list("event_id", flat=True)[:5])


def test_republish_has_the_lost_handled_and_the_others_handle_nothing_twice(
    lagging: KafkaBackend, house: House
) -> None:
    assert run("eventbus", "republish", "--since", since())[0] == 0
    house.settle()

    assert house.seen("house-a") == LATER + LOST
    assert house.seen("house-b") == LOST + LATER
    assert (places("house-a"), places("house-b")) == ({"handled": 11}, {"handled": 11})


def test_what_is_not_republished_stays_lost_by_name(lagging: KafkaBackend, house: House) -> None:
    OutboxRow.objects.filter(id__in=OutboxRow.objects.order_by("id").values("id")[:2]).update(
        created_at=clock.now() - timedelta(hours=5)
    )

    run("eventbus", "republish", "--since", since())
    house.settle()

    assert house.seen("house-a") == LATER + LOST[2:]
    assert lost() == [("house-a", 2)]


def test_a_log_that_is_filled_again_has_the_lost_handled_too(lagging: KafkaBackend, house: House) -> None:
    replace(lagging)
    house.restart()
    house.say(("vase", 12))
    house.settle()

    assert house.seen("house-a") == [*LATER, *LOST, ("vase", 12)]
    assert house.seen("house-b") == [*LOST, *LATER, ("vase", 12)]
    assert places("house-a") == {"handled": 12}


def test_what_is_lost_is_not_pruned_away(lagging: KafkaBackend, house: House) -> None:
    with transaction.atomic():
        publish(*(Unknown(name="vase") for _ in range(10)))  # as many ignored as could hide the five
    house.settle()
    retention_passes(lagging)

    pruned = Pruning(timedelta(0)).go()

    assert pruned.events == 0
    assert "does not balance" in pruned.unbalanced[0]
    assert lost() == [("house-a", 5)]


def test_ignored_events_that_are_republished_count_as_ignored(replaced: KafkaBackend, house: House) -> None:
    house.handler("house-a")
    with transaction.atomic():
        publish(Unknown(name="vase"))
    house.say(("vase", 1))
    house.settle()

    run("eventbus", "republish", "--since", since())
    house.settle()

    assert house.seen("house-a") == [("vase", 1)]
    assert places("house-a") == {"handled": 1, "ignored": 1}


def test_the_lost_are_redelivered_without_a_word_to_the_brokers(lagging: KafkaBackend, house: House) -> None:
    before = sum(end for _, end in _ends(lagging))

    assert run("eventbus", "redeliver", "house-a", "--lost")[0] == 0
    house.settle()

    assert house.seen("house-a") == LATER + LOST
    assert places("house-a") == {"handled": 11}
    assert sum(end for _, end in _ends(lagging)) == before


@pytest.mark.django_db
def test_a_loss_is_named_once_and_anew_where_a_log_made_anew_loses_the_same_offsets() -> None:
    vases = TopicPartition(Noted.topic, 0)

    for log in ("first", "first", "second"):
        log_generations.note(vases.topic, log)
        lost_records.note("house-a", vases, 3, 5, 2)
        lost_records.note("house-a", vases, 5, 9, 0)

    named = LostRecords.objects.order_by("id").values_list("generation", "begin", "end", "count")
    assert list(named) == [("first", 3, 5, 2), ("second", 3, 5, 2)]
