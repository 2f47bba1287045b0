"""A topic of a real Apache Kafka that takes nothing keeps no other topic's events waiting."""

from collections.abc import Iterator
from contextlib import suppress
from uuid import uuid4

import pytest
from django.db import transaction
from django.db.models import QuerySet

from eventbus import publish
from eventbus.backends.kafka.backend import KafkaBackend
from eventbus.errors import LogUnavailable
from eventbus.models import OutboxRow
from eventbus.publishing.relay import BATCH_ROWS, Relay
from tests.eventbus.bus_app import House, Noted, Sown
from tests.eventbus.bus_app_on_kafka import WAIT_SECONDS, in_use
from tests.waiting import until

STEPS = 3  # that find out, and send what can be sent


@pytest.fixture
def log(kafka: str, house: House) -> Iterator[KafkaBackend]:
    """What the process uses; the topic of what was sown has been deleted by mistake."""
    with in_use(KafkaBackend(servers=kafka, prefix=f"{uuid4().hex[:8]}.")) as log:
        log.provision([Noted.topic, Sown.topic])
        name = log.topics.name(Sown.topic)
        log._admin_client().delete_topics([name])[name].result(WAIT_SECONDS)
        until(lambda: not log.topics.counts([Sown.topic]), "the topic gone")
        yield log


def step(relay: Relay) -> None:
    with suppress(LogUnavailable):
        relay.step()


def sent(topic: str) -> QuerySet[OutboxRow]:
    return OutboxRow.objects.filter(topic=topic, offset__isnull=False)


def sow(count: int) -> None:
    with transaction.atomic():
        publish(*(Sown(name="rose", number=number) for number in range(count)))


def test_more_than_a_batch_of_a_topic_that_takes_nothing_starves_no_other(log: KafkaBackend, house: House) -> None:
    relay = Relay(log)
    sow(BATCH_ROWS + 1)
    house.say(("vase", 1))

    for _ in range(STEPS):
        step(relay)
    assert sent(Noted.topic).count() == 1
    with pytest.raises(
        LogUnavailable, match=rf"no topic {log.topics.name(Sown.topic)}"
    ):  # nothing else is left to send
        relay.step()

    log.provision([Sown.topic])
    until(lambda: [step(relay), sent(Sown.topic).count()][1] > BATCH_ROWS, "all is sent", seconds=WAIT_SECONDS)
    in_the_log = sent(Sown.topic).order_by("partition", "offset")
    assert list(in_the_log.values_list("id", flat=True)) == sorted(sent(Sown.topic).values_list("id", flat=True))
