"""Staff follow an order from one search box: every event, what each group made of it, and what is still expected."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from django.db import transaction
from django.test import Client

from eventbus import Permanent, publish, registry
from eventbus.ids import uuid7
from eventbus.journeys.subjects import Subject
from eventbus.models import DeadLetter, OutboxRow, Timer
from eventbus.testing import settle
from mcommerce.events import OrderPaid, OrderReturned, PaymentFailed, PaymentSucceeded
from mcommerce.orders.models import Order, OrderStep
from mcommerce.overview.journeys import FACTS_MAX
from mcommerce.products.models import Product
from mcommerce.web.slots.drawing import counted
from tests.journeys.journey_pages import correlation_of, events, expected, handled, page, staff

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("bus_clock")]

ONE_ORDER = 45  # queries: one for each table, of the page's frame, of the bus and of the features
QUERIES_MAX = 60  # of two orders


def test_an_order_is_followed_by_its_number_from_placed_to_waiting_for_money(
    order_of: Callable[..., Order], operator: Client
) -> None:
    order = order_of()

    html = page(operator, order.number)

    found = [one for one in events(html) if one != "order.contact_given.v1"]
    assert found[:3] == ["order.placed.v1", "stock.reserved.v1", "order.awaiting_payment.v1"]
    assert handled(html, "order.placed.v1")["products"] == "handled"
    assert f"Order {order.number}: Awaiting payment" in html  # with the steps that no event tells
    assert "the goods are set aside, and it awaits its payment" in html
    assert "Reservation: held" in html
    assert "order.expired_check.v1" in expected(html)  # the deadline comes if no money does


def test_a_lost_answer_is_shown_as_expected_and_not_there_yet(order_of: Callable[..., Order], operator: Client) -> None:
    order = order_of()
    with transaction.atomic():
        publish(PaymentFailed(payment_id=uuid7(), order_id=order.id, code="declined", retryable=True))

    html = page(operator, order.number)

    assert handled(html, "payment.failed.v1")["orders"] == "expected"
    assert "payment.failed.v1 → orders : has not handled it yet" in expected(html)
    settle(only=["orders"])
    assert "payment.failed.v1" not in expected(page(operator, order.number))


def test_why_an_order_stands_is_answered_by_the_failure_of_its_handler(
    order_of: Callable[..., Order], operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = order_of()
    handlers = registry.groups["products"].handlers
    [commit] = handlers[OrderPaid.wire_type()]
    monkeypatch.setitem(handlers, OrderPaid.wire_type(), [replace(commit, call=fail)])
    pay(order)

    html = page(operator, order.number)

    assert handled(html, "order.paid.v1")["products"] == "dead"
    assert "Permanent: the shelf is gone" in html
    assert f"group=products&q={order.id}" in html
    assert DeadLetter.objects.filter(group="products").exists()


def fail(event: OrderPaid) -> None:
    raise Permanent("the shelf is gone")


def pay(order: Order) -> None:
    with transaction.atomic():
        publish(
            PaymentSucceeded(
                payment_id=uuid7(),
                order_id=order.id,
                amount=order.total,
                currency=order.currency,
                provider="sandbox",
                provider_ref="chg_1",
            )
        )
    settle(raise_errors=False)


@pytest.mark.parametrize("handle", ["event", "correlation", "trace", "order", "e-mail"])
def test_each_handle_leads_to_the_same_events(order_of: Callable[..., Order], operator: Client, handle: str) -> None:
    order = order_of()
    placed = OutboxRow.objects.get(type="order.placed.v1")
    trace = re.search(r'"traceparent":"([^"]+)"', placed.headers)
    assert trace
    handles = {
        "event": str(placed.event_id).upper(),
        "correlation": correlation_of(placed).replace("-", "").upper(),
        "trace": trace[1],
        "order": str(order.id),
        "e-mail": order.email.upper(),
    }

    found = events(page(operator, f" {handles[handle]} "))

    assert {"order.placed.v1", "stock.reserved.v1", "order.awaiting_payment.v1"} <= set(found)


def test_an_event_that_caused_another_is_named_by_it(order_of: Callable[..., Order], operator: Client) -> None:
    html = page(operator, order_of().number)

    placed = OutboxRow.objects.get(type="order.placed.v1").event_id
    assert f'Because of <a href="#{placed}"><code>order.placed.v1</code></a>' in html


def test_a_product_is_followed_by_its_article_number(vase: Product, operator: Client) -> None:
    assert "product.published.v1" in events(page(operator, vase.sku.lower()))


def test_who_may_not_see_orders_finds_none_by_number_or_address(order_of: Callable[..., Order]) -> None:
    order = order_of()
    only_the_bus = staff("view_outboxrow")

    assert events(page(only_the_bus, order.number)) == events(page(only_the_bus, order.email)) == []
    assert "Awaiting payment" not in page(only_the_bus, str(order.id))


def test_who_may_not_look_into_payloads_sees_the_way_of_events_and_not_their_content(
    order_of: Callable[..., Order], operator: Client
) -> None:
    order = order_of()
    only_the_bus = page(staff("view_outboxrow"), str(order.id))

    assert events(only_the_bus) == events(page(operator, str(order.id))) != []
    assert '"order_id"' in page(operator, str(order.id)) and '"order_id"' not in only_the_bus
    assert order.email in page(operator, str(order.id)) and order.email not in only_the_bus


def test_what_nobody_knows_is_said_to_be_unknown(operator: Client) -> None:
    assert "Nothing is known of “%_'\"<b>”" in page(operator, "%_'\"<b>")


def test_the_page_speaks_french(order_of: Callable[..., Order], operator: Client) -> None:
    html = page(operator, order_of().number, **{"accept-language": "fr"})

    assert "Attendu, et pas encore arrivé" in html


def test_an_event_behind_a_dead_letter_waits_and_did_not_fail(
    order_of: Callable[..., Order], operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = order_of()
    handlers = registry.groups["products"].handlers
    [commit] = handlers[OrderPaid.wire_type()]
    monkeypatch.setitem(handlers, OrderPaid.wire_type(), [replace(commit, call=fail)])
    pay(order)
    with transaction.atomic():
        publish(OrderReturned(order_id=order.id, order_number=order.number, customer_id=None))
    settle(raise_errors=False)

    html = page(operator, order.number)

    assert handled(html, "order.paid.v1")["products"] == "dead"
    assert handled(html, "order.returned.v1")["products"] == "waits"
    assert "order.paid.v1 → products : failed for good: an operator must decide" in expected(html)


def test_an_event_that_the_log_rejected_is_told_from_one_that_a_group_owes(
    order_of: Callable[..., Order], operator: Client
) -> None:
    order = order_of()
    OutboxRow.objects.filter(type="order.placed.v1").update(rejected="MSG_SIZE_TOO_LARGE", offset=None)

    assert "Rejected by the log: an operator must decide. MSG_SIZE_TOO_LARGE" in " ".join(
        re.sub(r"<[^>]+>", " ", page(operator, order.number)).split()
    )


def test_a_delayed_event_is_found_by_its_id_before_it_is_published(
    order_of: Callable[..., Order], operator: Client
) -> None:
    order = order_of()
    due = Timer.objects.get(type="order.expired_check.v1")

    assert "order.placed.v1" in events(page(operator, str(due.event_id)))
    assert f"Order {order.number}" in page(operator, str(due.event_id))


@pytest.mark.parametrize("far", ["ffffffff-ffff-7fff-bfff-ffffffffffff", "e677d21f-dbff-7000-8000-000000000000"])
def test_an_id_of_a_time_that_no_calendar_has_is_unknown(operator: Client, far: str) -> None:
    assert "Nothing is known of" in page(operator, far)


def test_an_odd_row_is_shown_as_it_is(order_of: Callable[..., Order], operator: Client) -> None:
    order = order_of()
    OutboxRow.objects.filter(type="order.placed.v1").update(payload=b"\xff{", headers="no JSON")

    assert r"\xff{" in page(operator, order.number)


def test_what_has_no_event_left_is_still_found(operator: Client, vase: Product) -> None:
    OutboxRow.objects.all().delete()

    html = page(operator, vase.sku)

    assert "Product Vase" in html
    assert "every event was handled" in expected(html)


def test_all_orders_of_one_address_are_found_in_a_bounded_number_of_queries(
    order_of: Callable[..., Order], operator: Client
) -> None:
    first, second = order_of(), order_of()

    with counted() as count:
        html = page(operator, first.email)

    assert first.number in html
    assert second.number in html
    assert ONE_ORDER < count.made <= QUERIES_MAX


def test_a_long_history_makes_no_more_queries_and_shows_the_newest_steps(
    order_of: Callable[..., Order], operator: Client
) -> None:
    order = order_of()
    told = [OrderStep(order=order, at=order.placed_at, kind="looked_at", detail=f"look {n}") for n in range(300)]
    OrderStep.objects.bulk_create(told)

    with counted() as count:
        html = page(operator, order.number)

    assert 0 < count.made <= ONE_ORDER
    assert html.count("journey__fact") == FACTS_MAX


def test_a_feature_that_cannot_find_its_things_hides_no_events(
    order_of: Callable[..., Order], operator: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(text: str) -> list[Subject]:
        raise LookupError("the books are gone")

    order = order_of()
    monkeypatch.setattr("mcommerce.payment.services.subjects.find", broken)

    html = page(operator, order.number)

    assert "order.placed.v1" in events(html)
    assert f"Order {order.number}" in html and "Payment of order" not in html
