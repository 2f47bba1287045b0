"""A site that ran in memory moves to Kafka, and back: nothing is lost, handled twice, or out of order."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from django.db import transaction

from eventbus import Permanent, backends, publish
from eventbus.audit import delivery_audit
from eventbus.backends.base import Backend, partition_of
from eventbus.backends.kafka.backend import KafkaBackend
from eventbus.models import DeadLetter, OutboxRow
from eventbus.publishing.relay import Relay
from tests.eventbus.bus_app import House, Mended, Noted, Sown
from tests.eventbus.bus_app_on_kafka import by_others, in_use

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


def as_a_new_process(house: House, log: Backend) -> None:
    house.restart()
    Relay(log).begin()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("handled", [True, False], ids=["handled in memory", "left in memory"])
def test_a_site_goes_from_kafka_to_memory_and_back_beside_others_who_write_there(
    handled: bool, house: House, elsewhere: KafkaBackend
) -> None:
    house.handler("house-a")
    with in_use(elsewhere):
        as_a_new_process(house, elsewhere)
        house.say(*((name, 1) for name in NAMES))
        house.settle()
        by_others(elsewhere, 3)
        house.settle()  # so groups have come farther than the last of ours
        if not handled:
            house.say(*((name, 2) for name in NAMES[::2]))
            house.relay()  # and nobody handles these yet
    as_a_new_process(house, backends.current())
    if handled:
        house.say(*((name, 2) for name in NAMES[::2]))
    house.say(*((name, 3) for name in NAMES))
    house.relay()
    if handled:
        house.settle()
        assert house.seen(name=NAMES[0]) == [1, 2, 3]
        assert house.seen(name=NAMES[1]) == [1, 3]
    by_others(elsewhere, 30)  # their log is longer than ours meanwhile

    with in_use(KafkaBackend(servers=elsewhere._servers, prefix=elsewhere._prefix)) as again:
        as_a_new_process(house, again)
        house.say(*((name, 4) for name in NAMES))
        house.settle()

        assert {name: house.seen(name=name) for name in NAMES[::2]} == dict.fromkeys(NAMES[::2], [1, 2, 3, 4])
        assert {name: house.seen(name=name) for name in NAMES[1::2]} == dict.fromkeys(NAMES[1::2], [1, 3, 4])
        assert delivery_audit.problems(delivery_audit.read()) == []


@pytest.mark.django_db(transaction=True)
def test_a_site_moves_to_a_topic_of_kafka_in_which_others_have_written_more_than_it_has(
    house: House, elsewhere: KafkaBackend
) -> None:
    house.handler()
    as_a_new_process(house, backends.current())
    house.say(*((name, 1) for name in NAMES))
    house.relay()
    by_others(elsewhere, 30)

    with in_use(elsewhere):
        as_a_new_process(house, elsewhere)
        house.say(*((name, 2) for name in NAMES))
        house.settle()

        assert {name: house.seen(name=name) for name in NAMES} == dict.fromkeys(NAMES, [1, 2])
        assert delivery_audit.problems(delivery_audit.read()) == []


@pytest.mark.django_db(transaction=True)
def test_a_site_goes_to_another_cluster_and_back(house: House, elsewhere: KafkaBackend, kafka: str) -> None:
    """Under another prefix: the topics' own ids tell clusters apart."""
    house.handler()
    other = KafkaBackend(servers=kafka, prefix=f"{uuid4().hex[:8]}.")
    other.provision([Noted.topic, Sown.topic])
    first = {"servers": elsewhere._servers, "prefix": elsewhere._prefix}
    for number, log in enumerate([elsewhere, other, KafkaBackend(**first)], start=1):
        with in_use(log):
            as_a_new_process(house, log)
            house.say(*((name, number) for name in NAMES))
            house.settle()
            by_others(log, 3)
            house.say(*((name, number + 10) for name in NAMES))
            house.relay()  # left for the next

    with in_use(KafkaBackend(**first)) as log:
        as_a_new_process(house, log)
        house.settle()
        assert {name: house.seen(name=name) for name in NAMES} == dict.fromkeys(NAMES, [1, 11, 2, 12, 3, 13])
        assert delivery_audit.problems(delivery_audit.read()) == []


@pytest.mark.parametrize(
    ("key", "hashed"),
    [  # from the tests of Kafka's own client
        ("21", -973932308),
        ("foobar", -790332482),
        ("a-little-bit-long-string", -985981536),
        ("a-little-bit-longer-string", -1486304829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        ("abc", 479470107),
    ],
)
def test_a_key_lies_where_kafkas_clients_put_it(key: str, hashed: int) -> None:
    assert partition_of(key, 1_000) == (hashed & 0x7FFFFFFF) % 1_000
