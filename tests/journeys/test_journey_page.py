"""Staff follow an order from one search box: every event, what each group made of it, and what is still expected.

Somebody who knows no bus reads there why an order was cancelled, and who was charged.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

import pytest
from django.conf import settings
from django.db import transaction
from django.test import Client

from eventbus import Permanent, clock, publish, registry
from eventbus.journeys.subjects import Subject
from eventbus.models import OutboxRow, Timer
from eventbus.testing import settle
from mcommerce.events import OrderPaid, OrderReturned
from mcommerce.orders.models import Order, OrderStep
from mcommerce.orders.services import lifecycle
from mcommerce.overview.journeys import FACTS_MAX
from mcommerce.payment.models import Payment
from mcommerce.payment.services import payments
from mcommerce.products.models import Product
from mcommerce.products.services.stock import write_off_stock
from mcommerce.web.slots.drawing import counted
from tests.journeys.conftest import GOOD_CARD
from tests.journeys.order_queries import correlation_of, events, page, page_of, staff
from tests.journeys.provider_stub import Company

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("bus_clock")]

ONE_ORDER = 45  # queries: one for each table, of the page's frame, of the bus and of the features
QUERIES_MAX = 60  # of two orders
DECLINED_CARD = "4000000000000002"


def handled(html: str, event: str) -> dict[str, str]:
    """What each group has made of the event of this type, by group: a state."""
    [part] = [part for part in html.split('<li class="journey__entry')[1:] if f"<code>{event}</code></h3>" in part]
    return {group: state for state, group in re.findall(r"journey__handling--(\w+)\"><strong>([^<]+)", part)}


def expected(html: str) -> str:
    return words(html.partition('class="journey__expected')[2].partition("</section>")[0])


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


@pytest.fixture
def answers_about(operator: Client) -> Callable[..., dict[str, str]]:
    """What the page answers about an order, by question, without the times."""

    def ask(order: Order, **headers: str) -> dict[str, str]:
        found: dict[str, str] = {}
        html = page(operator, order.number, **headers).replace("\xa0", " ")
        for question, answer in re.findall(r"<dt>([^<]+)</dt>\s*<dd[^>]*>(.*?)</dd>", html, re.DOTALL):
            text = words(re.sub(r"<time.*?</time>", "", answer, flags=re.DOTALL))
            found[question] = f"{found[question]} {text}" if question in found else text
        return found

    return ask


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


@pytest.mark.parametrize(
    "text", ["%_'\"<b>", "ffffffff-ffff-7fff-bfff-ffffffffffff"], ids=["odd", "a time of no calendar"]
)
def test_what_nobody_knows_is_said_to_be_unknown(operator: Client, text: str) -> None:
    assert f"Nothing is known of “{text}”" in page(operator, text)


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


# --- why it ended as it did -------------------------------------------------------------------------------------------


Orders = Callable[..., Order]
Answers = Callable[[Order], dict[str, str]]


@pytest.fixture
def paid(order_of: Orders, browser: Client, company: Company) -> Orders:
    """Makes an order that is paid at the provider, and lets the shop ask."""

    def paid(card: str = GOOD_CARD, tries: int = 1) -> Order:
        order = order_of()
        page = page_of(browser, order)
        for _try in range(tries):
            company.type_card(page, card)
            payments.ask_now(payment_id=Payment.objects.get(order_id=order.id).id, now=clock.now())
            settle(raise_errors=False)
        return order

    return paid


@pytest.fixture
def broken_stock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The stock cannot take goods out: its handler fails for good."""
    handlers = registry.groups["products"].handlers
    [commit] = handlers[OrderPaid.wire_type()]
    monkeypatch.setitem(handlers, OrderPaid.wire_type(), [replace(commit, call=fail)])


def fail(event: OrderPaid) -> None:
    raise Permanent("the shelf is gone")


def test_paid_and_sent(paid: Orders, answers_about: Answers) -> None:
    order = paid()
    lifecycle.ship(order_id=order.id, carrier="La Poste", tracking="6A123", by=uuid4(), now=clock.now())
    settle()

    said = answers_about(order)

    assert said["Where does it stand?"] == "It is on its way to the customer."
    assert "Why was it cancelled?" not in said
    assert said["Who was charged?"].startswith("The customer, €19.00: card ending in 4242, at sandbox")
    assert said["What went back?"] == "Nothing: no refund was asked for."
    assert said["Which mails did the customer get?"].startswith("confirmation of the payment, dispatch")
    assert said["Where are the goods?"].startswith("Sold, and out of the stock: 1 × ")


def test_refused_by_the_bank_until_the_time_was_over(paid: Orders, answers_about: Answers) -> None:
    order = paid(DECLINED_CARD, tries=2)
    clock.advance(minutes=settings.ORDER_PAYMENT_MINUTES, seconds=1)
    settle()

    said, en_francais = answers_about(order), answers_about(order, **{"accept-language": "fr"})

    assert said["Where does it stand?"] == "It is cancelled."
    assert said["Why was it cancelled?"] == (
        "It was not paid in time. The payment provider refused 2 tries to pay: the bank declined the card."
    )
    assert said["Who was charged?"] == "Nobody: 1 payment page was opened, and none was paid."
    assert said["Where are the goods?"].startswith("Free for others again: 1 × ")
    assert said["What is awaited?"] == "Nothing: the order has come to its end."
    assert en_francais["Pourquoi a-t-elle été annulée ?"].startswith("Elle n’a pas été payée à temps.")
    Order.objects.update(payment_status=Order.PaymentStatus.IN_DOUBT)
    assert "What is awaited?" not in answers_about(order)  # money may still arrive


def test_short_of_stock(order_of: Orders, vase: Product, answers_about: Answers) -> None:
    order = order_of(quantity=2, quiet=True)
    write_off_stock(product_id=vase.id, quantity=1, now=clock.now())
    settle()

    said = answers_about(order)

    assert said["Why was it cancelled?"] == (
        "There was not enough in stock when it was placed. Vase: 2 wanted, 1 free."
    )
    assert said["Who was charged?"] == "Nobody: it was never open for payment."
    assert said["Where are the goods?"] == "None was set aside: not all of them were free."


def test_paid_after_the_cancellation_and_sent_back(
    order_of: Orders, browser: Client, company: Company, answers_about: Answers
) -> None:
    order = order_of()
    page = page_of(browser, order)
    company.type_card(page, GOOD_CARD)
    lifecycle.cancel_by_customer(order_id=order.id, now=clock.now())
    settle()

    said = answers_about(order)

    assert company.charges() == [(1_900, 1_900)]
    assert said["Why was it cancelled?"] == (
        "The customer cancelled it. A payment arrived after that; its refund was asked for."
    )
    assert said["Who was charged?"].startswith("The customer, €19.00: card ending in 4242, at sandbox")
    assert said["What went back?"].startswith("All of it: €19.00")


def test_a_handler_that_failed_holds_it_up(
    paid: Orders, broken_stock: None, operator: Client, answers_about: Answers
) -> None:
    order = paid()
    with transaction.atomic():
        publish(OrderReturned(order_id=order.id, order_number=order.number, customer_id=None))
    settle(raise_errors=False)

    html, said = page(operator, order.number), answers_about(order)

    assert said["Where does it stand?"] == "It is paid, and not sent yet."
    assert said["Where are the goods?"].startswith("Set aside for the order: 1 × ")
    assert handled(html, "order.paid.v1")["products"] == "dead"
    assert handled(html, "order.returned.v1")["products"] == "waits"  # behind the other, and did not fail
    assert "Permanent: the shelf is gone" in html
    assert f"group=products&q={order.id}" in html
    assert "order.paid.v1 → products : failed for good: an operator must decide" in expected(html)
    assert "What this group does with the event has not happened." in words(html)


def test_a_hop_whose_group_stands_still_is_expected_and_not_there(
    order_of: Orders, operator: Client, answers_about: Answers
) -> None:
    order = order_of(quiet=True)
    settle(only=["orders", "payment"])

    html = page(operator, order.number)

    assert handled(html, "order.placed.v1")["products"] == "expected"
    assert "order.placed.v1 → products : has not handled it yet" in expected(html)
    assert answers_about(order)["What is awaited?"] == "The answer of the stock."
    settle(only=["products"])
    assert "order.placed.v1" not in expected(page(operator, order.number))


def test_an_event_that_never_came_leaves_its_order_waiting_in_plain_words(
    order_of: Orders, answers_about: Answers
) -> None:
    order = order_of(quiet=True)
    settle(only=["products"])
    OutboxRow.objects.filter(type="stock.reserved.v1").delete()

    said = answers_about(order)

    assert said["Where are the goods?"].startswith("Set aside for the order: 1 × ")
    assert said["Where does it stand?"].startswith("It is placed. The stock has not said yet")
    assert said["What is awaited?"] == "The answer of the stock."
