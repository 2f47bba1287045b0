"""Staff look while no broker answers: overview, groups, notices and metrics say so soon, and ask the brokers once."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any
from uuid import uuid4

import pytest
from confluent_kafka.admin import AdminClient
from django.test import Client

from eventbus.backends.kafka.backend import KafkaBackend
from eventbus.operations import status
from mcommerce import readiness
from mcommerce.monitoring import page
from tests.eventbus.bus_app_on_kafka import in_use
from tests.free_ports import free_ports
from tests.kafka import Cluster

WAIT_SECONDS_MAX = 2.0  # of a page, for brokers that are away
TITLE, FIGURE = "The brokers do not answer", '<td class="number">?</td>'

pytestmark = pytest.mark.django_db(transaction=True)


class Waits:
    """An admin client that notes how long each question may wait for its answer."""

    def __init__(self, client: AdminClient) -> None:
        self.client, self.seconds = client, list[float]()

    def __getattr__(self, name: str) -> Any:
        question = getattr(self.client, name)

        def ask(*args: Any, **options: Any) -> Any:
            self.seconds.append(options.get("request_timeout") or options["timeout"])
            return question(*args, **options)

        return ask


class Nowhere(KafkaBackend):
    """A log whose brokers are stopped."""

    def __init__(self) -> None:
        super().__init__(servers=f"127.0.0.1:{free_ports(1)[0]}", prefix=f"{uuid4().hex[:8]}.")
        self.waits = Waits(self._admins.current())

    def _admin_client(self) -> Any:
        return self.waits


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[Nowhere]:
    monkeypatch.setattr(readiness, "found", lambda: {})  # a server's own thread asks for it
    with closing(Nowhere()) as log, in_use(log):
        yield log


@pytest.mark.parametrize("path", ["/eventbus/", "/eventbus/groups/"])
def test_a_page_says_soon_that_the_figures_are_not_known(operator: Client, nowhere: Nowhere, path: str) -> None:
    html = operator.get(path).content.decode()

    assert "The log does not give the end of" in html and "their lag is not known" in html
    assert 0 < sum(nowhere.waits.seconds) < WAIT_SECONDS_MAX


def test_the_overview_names_the_fault_and_no_group_seems_to_have_caught_up(operator: Client, nowhere: Nowhere) -> None:
    html = operator.get("/eventbus/").content.decode()

    assert TITLE in html and FIGURE in html
    assert {one.lag for one in status.status().groups} == {None}


def test_a_scraper_gets_the_metrics_soon(operator: Client, nowhere: Nowhere) -> None:
    page.bus_state.forget()

    told = operator.get("/metrics").content.decode()

    page.bus_state.forget()
    assert 'mcommerce_fault{about="",kind="broker"} 1.0' in told
    assert "eventbus_lag_events{" not in told and "eventbus_outbox_events" in told
    assert 0 < sum(nowhere.waits.seconds) < WAIT_SECONDS_MAX


@pytest.mark.kafka
def test_a_broker_that_stops_is_named_and_no_longer_once_it_is_back(operator: Client, fresh_kafka: Cluster) -> None:
    with in_use(KafkaBackend(servers=fresh_kafka.bootstrap_servers)) as log:
        log.provision({one.topic for one in status.status().groups})
        assert TITLE not in operator.get("/eventbus/").content.decode()

        fresh_kafka.stop()
        away = operator.get("/eventbus/").content.decode()
        fresh_kafka.start()
        log.provision({one.topic for one in status.status().groups})  # waits for its answer

        assert TITLE in away and FIGURE in away
        assert TITLE not in operator.get("/eventbus/").content.decode()
