"""Staff see topics, partitions and brokers; brokers that are away cost no more than the page's time limit."""

from collections.abc import Collection, Mapping

import pytest
from django.test import Client

from eventbus import backends
from eventbus.backends.log_description import (
    BrokerDescription,
    LogDescription,
    PartitionDescription,
    TopicDescription,
)
from eventbus.backends.topics import TopicSpec, wanted
from eventbus.errors import LogUnavailable
from eventbus.reports import topics

PAGE = "/eventbus/topics/"

pytestmark = pytest.mark.django_db(transaction=True)


class Brokers:
    """Two brokers that have the topic `orders`, and no other."""

    def __init__(self, configs: Mapping[str, str] | None = None, error: str = "") -> None:
        self.configs, self.error, self.asked = configs or {}, error, 0.0

    def name(self, topic: str) -> str:
        return f"shop.{topic}"

    def wanted(self, topic: str) -> TopicSpec:
        return wanted(topic, partitions=2, replication=2)

    def describe(self, topics: Collection[str], seconds: float) -> LogDescription:
        self.asked = seconds
        if self.error:
            raise LogUnavailable(self.error)
        configs = self.wanted("orders").configs | dict(self.configs)
        partitions = [
            PartitionDescription(0, 5, 12, leader=1, replicas=(1, 2), in_sync=(1, 2)),
            PartitionDescription(1, None, None, leader=None, replicas=(2, 1), in_sync=(1,)),
        ]
        brokers = [BrokerDescription(1, "kafka-1:9092", True, 1, 2), BrokerDescription(2, "kafka-2:9092", False, 0, 2)]
        return LogDescription(brokers, {"orders": TopicDescription(configs, partitions)})


@pytest.fixture
def brokers(monkeypatch: pytest.MonkeyPatch) -> Brokers:
    found = Brokers({"retention.ms": "3600000"})
    monkeypatch.setattr(backends.current(), "topics", found)
    monkeypatch.setattr(topics, "_partitions_with_keys", lambda: {"orders": 2})
    return found


def card(client: Client, topic: str) -> str:
    """The part of the page about a topic."""
    html = client.get(PAGE, {"part": "state"}).content.decode()
    [found] = [one for one in html.split("<section") if f'id="topic-{topic}"' in one]
    return found


def test_brokers_show_their_controller_and_what_they_lead(operator: Client, brokers: Brokers) -> None:
    html = operator.get(PAGE).content.decode()

    assert "kafka-1:9092</td><td>yes</td>" in html and "kafka-2:9092</td><td>–</td>" in html
    assert brokers.asked == topics.ANSWER_SECONDS <= 3


def test_a_partition_without_a_leader_and_a_setting_that_differs_are_marked(operator: Client, brokers: Brokers) -> None:
    found = card(operator, "orders")

    assert "bus-card--bad" in found and found.count("overview__silent") == 2
    assert "<td>3600000</td><td>604800000 <span" in found
    assert "shop.orders" in found and "1:00:00" in found


def test_brokers_that_are_away_are_named_with_the_remedy_and_topics_stay(operator: Client, brokers: Brokers) -> None:
    brokers.error = "No broker has answered within 3 s: are the brokers running?"

    html = operator.get(PAGE).content.decode()

    assert "are the brokers running?" in html and "No broker has answered." in html
    assert 'id="topic-orders"' in html and "eventbus topics --apply" not in card(operator, "orders")
