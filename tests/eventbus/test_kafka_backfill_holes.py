"""Numbers that a real Apache Kafka leaves out for marks of transactions, which nobody reads, and numbers let go of."""

from typing import Any

import pytest

from eventbus.backends.kafka.backend import KafkaBackend
from eventbus.consuming import outbox_backfill
from tests.eventbus.bus_app import House
from tests.eventbus.bus_app_on_kafka import WAIT_SECONDS
from tests.eventbus.test_kafka_backfill import TOPIC, all_seen_once_in_order, by_others, log, say_each

__all__ = ["log"]  # a fixture


def test_numbers_that_transactions_of_others_take_are_not_taken_for_a_loss(log: KafkaBackend, house: House) -> None:
    house.handler()
    say_each(house, 1)
    by_others(log, "vase", **{"transactional.id": f"{log._prefix}stranger"})
    say_each(house, 2)
    by_others(log, "vase", **{"transactional.id": f"{log._prefix}stranger"})
    say_each(house, 3)
    house.settle()

    all_seen_once_in_order(house, 3)
    assert sum(log.ends(log.partitions([TOPIC])).values()) > len(house.log()), "some numbers are left out"


def test_brokers_and_outbox_are_asked_once_for_a_batch_with_many_of_them(
    log: KafkaBackend, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.handler()
    say_each(house, 1)
    house.settle()
    for _ in range(10):
        by_others(log, "vase", **{"transactional.id": f"{log._prefix}stranger"})
        house.say(("vase", 2))
        house.relay()
    house.restart()
    worker = house.worker()
    worker.catch_up(WAIT_SECONDS)
    brokers, outbox = counting(monkeypatch, log, "earliest_offsets"), counting(monkeypatch, outbox_backfill, "_rows")

    while house.step(worker):
        pass

    assert house.seen(name="vase") == [1, *[2] * 10]
    assert (len(brokers), len(outbox)) == (1, 1)


def counting(monkeypatch: pytest.MonkeyPatch, owner: Any, name: str) -> list[Any]:
    """What is asked of a function from now on."""
    asked, ask = list[Any](), getattr(owner, name)

    def counted(*given: Any) -> Any:
        asked.append(given)
        return ask(*given)

    monkeypatch.setattr(owner, name, counted)
    return asked
