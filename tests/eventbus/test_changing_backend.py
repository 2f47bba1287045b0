"""A site that ran in memory moves to Kafka, and back: nothing is lost, handled twice, or out of order."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from django.db import transaction

from eventbus import Permanent, publish
from eventbus.audit import delivery_audit
from eventbus.backends.kafka.backend import KafkaBackend
from eventbus.models import DeadLetter, OutboxRow
from eventbus.publishing.relay import Relay
from tests.eventbus.bus_app import House, Mended, Noted, Sown
from tests.eventbus.bus_app_on_kafka import in_use

NAMES = [f"key{number}" for number in range(12)]  # they lie in several partitions


@pytest.fixture
def elsewhere(kafka: str) -> Iterator[KafkaBackend]:
    """A log at the brokers in which the site has never been."""
    log = KafkaBackend(servers=kafka, prefix=f"{uuid4().hex[:8]}.")
    log.provision([Noted.topic, Sown.topic])
    yield log
    log.close()


def where_keys_lie() -> dict[str, int]:
    return dict(OutboxRow.objects.filter(partition__isnull=False).values_list("key", "partition"))


@pytest.mark.django_db(transaction=True)
def test_a_site_moves_to_kafka_and_back_with_its_books_balanced(
    house: House, elsewhere: KafkaBackend, caplog: pytest.LogCaptureFixture
) -> None:
    broken = Mended("vase", error=Permanent("poison"))
    house.handler("house-a", broken)
    house.handler("house-b")
    house.say(*((name, 1) for name in NAMES), ("vase", 1), ("vase", 2))
    with transaction.atomic():
        publish(Sown(name="rose", number=1))  # which no group reads
    house.settle()
    in_memory = where_keys_lie()

    with in_use(elsewhere):
        house.restart()
        house.say(*((name, 2) for name in NAMES), ("vase", 3))
        Relay(elsewhere).begin()
        house.settle()
        assert delivery_audit.problems(delivery_audit.read()) == []
        assert where_keys_lie() == in_memory
        broken.names.clear()
        DeadLetter.objects.update(request="requeue")
        house.settle()
    house.restart()
    house.say(*((name, 3) for name in NAMES), ("vase", 4))
    house.settle()

    for group in ("house-a", "house-b"):
        assert {name: house.seen(group, name) for name in NAMES} == dict.fromkeys(NAMES, [1, 2, 3])
        assert house.seen(group, "vase") == [1, 2, 3, 4]
    assert delivery_audit.problems(delivery_audit.read()) == []
    assert [record.levelname for record in caplog.records if "appended" in record.message] == ["WARNING", "WARNING"]
    assert "lost" not in caplog.text
