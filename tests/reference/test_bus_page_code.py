"""The code of docs/reference/bus.md is run as a module would have it, and does what the page says."""

import re
from collections.abc import Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from django.http import HttpRequest
from django.test import RequestFactory

import eventbus
from eventbus import Event, backends, registry
from eventbus.backends import topics
from eventbus.declaration.upcasting import upcast
from eventbus.events import decode
from eventbus.ids import uuid7
from eventbus.progress import group_starts
from eventbus.testing import published_events, settle
from mcommerce import events
from mcommerce.web.slots import fragment
from mcommerce.web.slots import registry as fragments
from tests.eventbus.bus_app import House
from tests.reference.tables import page

BLOCKS = re.findall(r"^```python\n(.*?)^```", page("bus"), re.DOTALL | re.MULTILINE)
IMPORTED, DECLARED, UPCAST, PUBLISHED, HANDLED, MAILED, TOPIC, FRAGMENT = BLOCKS
ORDER_ID = uuid7()
NAME = '"order.paid"'  # the shop has an event of this name, and a name is declared once


def run(code: str, **given: Any) -> dict[str, Any]:
    """The names after the page's import and this code."""
    names: dict[str, Any] = {"__name__": __name__, **given}
    exec(IMPORTED + code, names)
    return names


@pytest.fixture(scope="module")
def order_paid() -> Any:
    """The event that the page declares, once in this process."""
    assert NAME in DECLARED
    return run(DECLARED.replace(NAME, '"example.order-paid"'), UUID=UUID)["OrderPaid"]


@pytest.fixture
def order(house: House) -> SimpleNamespace:
    """An order, which a table would hold."""
    return SimpleNamespace(id=ORDER_ID, save=lambda: None)


def publish_paid(order_paid: Any) -> None:
    group_starts.ensure(backends.current(), registry.groups.values())  # as migrate does
    with transaction.atomic():
        eventbus.publish(order_paid(order_id=ORDER_ID, amount=1_900))
    settle()


def test_the_import_has_every_name_of_the_bus() -> None:
    assert set(eventbus.__all__) <= run("").keys()


def test_the_event_of_the_page_is_the_shops(order_paid: Any) -> None:
    shops = events.OrderPaid
    event = order_paid(order_id=ORDER_ID, amount=1_900)

    assert NAME.strip('"') == shops.wire_name
    assert (event.topic, event.key_fields, event.wire_version) == (shops.topic, shops.key_fields, shops.wire_version)
    assert order_paid.__annotations__.items() <= shops.__annotations__.items()
    assert shops.wire_type() == "order.paid.v1"
    assert event.key() == str(ORDER_ID)


def test_the_new_version_reads_the_old_one() -> None:
    newer = run(UPCAST.replace(NAME, '"example.order-paid-anew"'), UUID=UUID, Any=Any)["OrderPaid"]
    payload = f'{{"order_id": "{ORDER_ID}", "amount": 1900}}'.encode()

    read = decode(upcast(payload, "example.order-paid-anew.v1", newer), newer)

    assert read == newer(order_id=ORDER_ID, amount=1_900, currency="EUR")


def test_what_is_published_with_a_change_is_an_event(order: SimpleNamespace) -> None:
    run(PUBLISHED, transaction=transaction, order=order, OrderOverdue=events.OrderOverdue)

    assert [one.order_id for one in published_events(events.OrderOverdue)] == [ORDER_ID]


def test_the_handler_is_given_the_event_once(order: SimpleNamespace, order_paid: Any) -> None:
    given: list[dict[str, Any]] = []
    services = SimpleNamespace(give_points=lambda **points: given.append(points))
    run(HANDLED, OrderPaid=order_paid, services=services)

    publish_paid(order_paid)

    assert registry.groups.keys() == {"loyalty"}
    assert given == [{"order_id": ORDER_ID, "amount": 1_900}]


def test_the_effect_is_called_once(order: SimpleNamespace, order_paid: Any) -> None:
    sent: list[UUID] = []
    run(MAILED, OrderPaid=order_paid, mail=SimpleNamespace(send_points=sent.append))

    publish_paid(order_paid)

    assert registry.groups.keys() == {"loyalty-mail"}
    assert sent == [ORDER_ID]


def test_the_topic_is_declared_as_the_page_writes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topics, "declared", {})

    run(TOPIC, declare_topic=topics.declare_topic, timedelta=timedelta)

    wanted = topics.wanted("stations", partitions=4, replication=3)
    assert wanted.partitions == 12
    assert wanted.configs["retention.ms"] == str(2 * 24 * 60 * 60 * 1_000)


class PointsGranted(Event, name="example.points-granted", topic="examples", key="order_id"):
    """The event after which the page's fragment is drawn anew."""

    order_id: UUID


@pytest.fixture
def registered() -> Iterator[fragments.Fragment]:
    """The page's fragment, of an app whose orders have points."""
    points = {ORDER_ID: 19}
    names = {
        "__name__": "example.slots",
        "services": SimpleNamespace(points_of=points.get),
        "fragment": fragment,
        "PointsGranted": PointsGranted,
    }
    found = fragments.find(run(FRAGMENT, UUID=UUID, HttpRequest=HttpRequest, **names)["order_points"])
    yield found
    fragments.remove(found)


def test_the_fragment_shows_the_points_of_an_order_that_has_some(registered: fragments.Fragment) -> None:
    request = RequestFactory().get("/")

    assert registered.name == "example.order_points"
    assert registered.key_of(PointsGranted(order_id=ORDER_ID)) == (ORDER_ID,)
    assert registered.call(ORDER_ID, request) == {"points": 19}
    assert registered.call(uuid7(), request) is None
