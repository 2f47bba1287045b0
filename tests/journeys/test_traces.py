"""An order is one trace, from the request that placed it over its payment to its mails, in a collector of its own."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from eventbus.models import OutboxRow
from eventbus.testing import settle
from eventbus.tracing import exporting, switch
from eventbus.tracing.spans import Spans
from mcommerce.orders.models import Order
from tests.collector import Collector, loose_ends, running_collector
from tests.journeys.conftest import GOOD_CARD
from tests.journeys.order_queries import page_of, state_of
from tests.journeys.provider_stub import Company
from tests.mcommerce.payment.conftest import Catcher

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with running_collector() as collector:
        yield collector


@pytest.fixture
def flush(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], bool]]:
    """This process traces to the collector; a function that sends what has ended."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
    provider = exporting.provider_of("mcommerce", "all")
    monkeypatch.setattr(switch, "active", Spans(provider))
    yield provider.force_flush
    provider.shutdown()


@pytest.fixture
def catcher(settings: Any) -> Iterator[Catcher]:
    catcher = Catcher()
    settings.SITE_URL = f"http://{catcher.host}"
    yield catcher
    catcher.close()


def envelope(kind: str) -> dict[str, str]:
    return json.loads(OutboxRow.objects.get(type=kind).headers)


def test_an_order_with_its_payment_by_webhook_is_one_connected_trace(
    collector: Collector,
    flush: Callable[[], bool],
    catcher: Catcher,
    order_of: Callable[..., Order],
    browser: Client,
    company: Company,
) -> None:
    order = order_of()
    company.type_card(page_of(browser, order), GOOD_CARD)
    told = catcher.next()

    webhook = browser.post(
        reverse("payment:webhook", args=["sandbox"]),
        told.body,
        content_type="application/json",
        headers={"Sandbox-Signature": told.signature},
    )
    settle()
    flush()

    assert state_of(order) == Order.State.PAID
    placed, paid = envelope("order.placed.v1"), envelope("order.paid.v1")
    assert paid["correlationid"] == placed["correlationid"] != webhook["X-Correlation-Id"]
    one = collector.trace(placed["correlationid"].replace("-", ""))
    names = {span.name for span in one}
    assert {"POST orders:checkout", "send orders", "append orders", "process orders", "payment attempt"} <= names
    assert {"payment answer", "process payment", "effect mail"} <= names
    assert loose_ends(one) == []
    assert [span.name for span in one if not span.parent] == ["POST orders:checkout"]
    [request] = collector.trace(webhook["X-Correlation-Id"].replace("-", ""))
    assert request.name == "POST payment:webhook"
    assert any(request.trace in span.links for span in one if span.name == "payment answer")
