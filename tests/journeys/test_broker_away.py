"""Somebody orders while Kafka is away: the shop sells, and goes on with the order when Kafka is back."""

from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
from django.test import Client
from django.urls import reverse

from eventbus import registry
from eventbus.backends.kafka.backend import KafkaBackend
from eventbus.errors import LogUnavailable
from eventbus.models import OutboxRow
from eventbus.testing import settle
from mcommerce.orders.models import Order
from mcommerce.products.models import Product
from tests.eventbus.bus_app_on_kafka import in_use
from tests.journeys.order_queries import state_of, stock_of
from tests.kafka import Cluster
from tests.waiting import until

pytestmark = pytest.mark.cluster

BACK_SECONDS = 180  # for the readers of all groups to find the broker, one after the other, on a busy machine


@pytest.fixture
def over_kafka(transactional_db: None, fresh_kafka: Cluster) -> Iterator[KafkaBackend]:
    with in_use(KafkaBackend(servers=fresh_kafka.bootstrap_servers)) as backend:
        backend.provision(registry.topics())
        until(everybody_reads, "the topics have leaders", seconds=BACK_SECONDS)
        yield backend


def everybody_reads() -> bool:
    with suppress(LogUnavailable):
        settle()
        return True
    return False


def test_an_order_is_taken_while_the_broker_is_away_and_goes_on_when_it_is_back(
    over_kafka: KafkaBackend, fresh_kafka: Cluster, vase: Product, order_of: Callable[..., Order], browser: Client
) -> None:
    fresh_kafka.stop()

    order = order_of(quiet=True)

    page = browser.get(reverse("orders:order", args=[order.id]))
    assert (page.status_code, order.number in page.content.decode()) == (200, True)
    assert OutboxRow.objects.filter(key=str(order.id), offset=None).exists()
    with pytest.raises(LogUnavailable):
        settle()
    assert (state_of(order), stock_of(vase)) == (Order.State.PLACED, (2, 0))

    fresh_kafka.start()

    until(everybody_reads, "Kafka answers again", seconds=BACK_SECONDS)
    assert state_of(order) == Order.State.AWAITING_PAYMENT
    assert stock_of(vase) == (2, 1)
