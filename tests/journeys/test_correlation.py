"""Each request has one id: its events, log lines, answer and error page name it, and the journey finds it."""

import json
import logging
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from eventbus import Permanent, registry
from eventbus.events import Record, with_causation
from eventbus.ids import uuid7
from eventbus.models import OutboxRow
from eventbus.testing import settle
from mcommerce.events import OrderCancelled
from mcommerce.orders.models import Order
from mcommerce.products.models import Product
from mcommerce.web.redaction import Formatter, JSONFormatter
from tests.journeys.order_queries import events, page

pytestmark = pytest.mark.django_db(transaction=True)

HEADER = "X-Correlation-Id"


def correlations(*types: str) -> set[str]:
    rows = OutboxRow.objects.filter(type__in=types)
    return {json.loads(row.headers)["correlationid"] for row in rows}


def test_everything_that_follows_a_request_has_the_id_of_its_answer(
    order_of: Callable[..., Order],
    browser: Client,
    operator: Client,
) -> None:
    order = order_of()

    answer = browser.post(reverse("orders:cancel", args=[order.id]))
    settle()

    one = answer[HEADER]
    assert correlations("order.cancelled.v1", "payment.closed.v1") == {one}  # the second is a handler's
    assert one not in correlations("order.placed.v1")  # of another request
    assert {"order.cancelled.v1", "payment.closed.v1"} <= set(events(page(operator, one)))


def test_an_id_that_a_visitor_sends_is_not_used(client: Client) -> None:
    sent = "01a22a26-2cdc-7000-9f5d-5eafb51ff1db"

    first, second = (client.get("/health/live", headers={HEADER: sent})[HEADER] for _ in range(2))

    assert len({sent, first, second}) == 3


def test_the_error_page_and_the_lines_about_it_name_the_request(
    vase: Product, monkeypatch: pytest.MonkeyPatch, lines: Callable[[], list[str]]
) -> None:
    monkeypatch.setattr("mcommerce.products.views.render", broken)

    answer = Client(raise_request_exception=False).get("/")

    assert answer.status_code == 500
    assert f"<code>{answer[HEADER]}</code>" in answer.content.decode()
    assert any("Internal Server Error: /" in line and f"[{answer[HEADER]}]" in line for line in lines())


def broken(*_given: Any, **_named: Any) -> None:
    raise Permanent("a shelf fell on it: /orders/?key=secret")


@pytest.fixture
def lines(request: pytest.FixtureRequest) -> Any:
    """What the site logs meanwhile, line by line."""
    written: list[str] = []

    class Written(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append(self.format(record))

    handler = Written()
    handler.setFormatter(getattr(request, "param", None) or text_lines())
    logging.getLogger().addHandler(handler)
    yield lambda: written
    logging.getLogger().removeHandler(handler)


def text_lines() -> Formatter:
    made = settings.LOGGING["formatters"]["text"]
    return Formatter(made["format"], style=made["style"])


@pytest.mark.parametrize("lines", [JSONFormatter()], indirect=True)
def test_lines_are_json_by_setting_and_hide_the_same_secrets(
    vase: Product, monkeypatch: pytest.MonkeyPatch, lines: Callable[[], list[str]]
) -> None:
    monkeypatch.setattr("mcommerce.products.views.render", broken)

    answer = Client(raise_request_exception=False).get("/")

    [line] = [json.loads(line) for line in lines() if "Internal Server Error" in line]
    assert (line["level"], line["logger"], line["correlation"]) == ("ERROR", "django.request", answer[HEADER])
    assert "Permanent: a shelf fell on it: /orders/?key=…" in line["exception"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", line["time"])


def test_what_is_not_found_names_its_request(client: Client, lines: Callable[[], list[str]]) -> None:
    """Django logs it once the answer has left the site's own code."""
    answer = client.get("/nothing-such/")

    [line] = [line for line in lines() if "Not Found: /nothing-such/" in line]
    assert line.endswith(f"[{answer[HEADER]}]")


def test_a_handlers_failure_names_the_request_that_led_to_it(
    order_of: Callable[..., Order], browser: Client, monkeypatch: pytest.MonkeyPatch, lines: Callable[[], list[str]]
) -> None:
    order = order_of()
    handlers = registry.groups["products"].handlers
    [release] = handlers[OrderCancelled.wire_type()]
    monkeypatch.setitem(handlers, OrderCancelled.wire_type(), [replace(release, call=broken)])

    answer = browser.post(reverse("orders:cancel", args=[order.id]))
    settle(raise_errors=False)

    about = [line for line in lines() if "Group products" in line]
    assert [f"[{answer[HEADER]}]" in line for line in about] == [True, True], about  # the warning, and the dead letter


def test_another_programs_id_cannot_forge_a_line(lines: Callable[[], list[str]]) -> None:
    headers = json.dumps({"correlationid": "a]\n2026-01-01 ERROR root: forged"})
    record = Record(
        topic="t", partition=0, offset=0, key="k", type="t.v1", event_id=uuid7(), payload=b"", headers=headers
    )

    with_causation(record, logging.getLogger("mcommerce").warning, "The cellar is wet")

    assert [line for line in lines() if line.endswith("WARNING mcommerce: The cellar is wet")]
