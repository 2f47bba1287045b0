"""What a guest's request that writes takes while the workers drain a backlog, beside the same when all is quiet.

A first piece in a new cart: the cart is a lone statement, what lies in it a transaction.
"""

import time
from collections.abc import Callable, Iterator

from django.db.models import Sum
from django.test import Client
from django.urls import reverse

from benchmarks.handling import GROUP, make_ledger
from benchmarks.measure import Goal, Row, milliseconds, p99
from benchmarks.relay import publish_many
from benchmarks.sales import skip_backlog
from benchmarks.site import Bench
from eventbus.ids import uuid7
from eventbus.models import Progress
from eventbus.processes.dispatcher import Dispatcher
from mcommerce.events import ProductPublished
from mcommerce.orders.models import CartLine
from mcommerce.orders.services import offers

BACKLOG = 50_000  # events, in each round
BACKLOG_QUICK = 10_000
ROUNDS = 5
PUBLISHED_AT_ONCE = 500
QUIET_REQUESTS = 200
BETWEEN_SECONDS = 0.005  # people look before they click
WAIT_MS_MAX = 250.0
VASE = uuid7()


def measure(bench: Bench) -> Iterator[Row]:
    make_ledger()
    skip_backlog()
    put_up_vase()
    backlog = BACKLOG_QUICK if bench.quick else BACKLOG
    yield bench.row(
        "a request that writes while a backlog is drained",
        lambda: p99(requests_during(backlog)),
        unit="ms p99",
        beside=f"the same requests when all is quiet; drained: {backlog:,} events",
        peer=lambda: p99([request() for _ in range(QUIET_REQUESTS)]),
        goal=Goal(worst_at_most=WAIT_MS_MAX, firm=True),
        rounds=ROUNDS,
    )


def put_up_vase() -> None:
    offers.keep_published(
        ProductPublished(
            product_id=VASE,
            sku="VASE",
            slug="vase",
            title={"en": "Vase"},
            price=1900,
            currency="EUR",
            tax_rate=2000,
            image="",
            version=1,
        )
    )


def requests_during(backlog: int) -> list[float]:
    """Every request of one visitor after the other, from the dispatcher's beginning until all is handled; in ms."""
    for _ in range(backlog // PUBLISHED_AT_ONCE):
        publish_many(PUBLISHED_AT_ONCE)
    wanted, in_carts = handled() + backlog, CartLine.objects.count()
    dispatcher = Dispatcher.start_in_process()
    try:
        took = list(_until(lambda: handled() >= wanted))
    finally:
        dispatcher.close()
    assert CartLine.objects.count() == in_carts + len(took), "a guest has not what was put into the cart"
    return took


def handled() -> int:
    return Progress.objects.filter(group=GROUP).aggregate(sum=Sum("handled"))["sum"] or 0


def _until(done: Callable[[], bool]) -> Iterator[float]:
    while not done():
        yield request()
        time.sleep(BETWEEN_SECONDS)


def request() -> float:
    return milliseconds(_put_vase_into_new_cart)


def _put_vase_into_new_cart() -> None:
    answer = Client(SERVER_NAME="localhost").post(reverse("orders:add"), {"product_id": VASE, "quantity": 1})
    assert answer.status_code == 302, f"a guest was refused: {answer.status_code}"
