"""Mistakes in the shop, planted as those in the bus are: the shop's part of the verdict must tell each of them."""

import os
import time
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from tests.chaos.load_app import planted_mistakes
from tests.chaos.load_app.planted_mistakes import fault
from tests.chaos.shop import verdict

THINK_SECONDS = 1.0  # between reading and writing: with an order a second, some meet
ASK_SECONDS = 2  # for Kafka's answer


@fault("a webhook taken in as often as it comes", verdict.BOOKS, shop=True)
def _webhooks() -> None:
    """Whoever says that the money came is believed, each time."""
    from mcommerce.payment.models import Attempt
    from mcommerce.payment.services import ledger

    right = ledger.enter_capture
    Attempt.is_open = property(lambda self: True)  # type: ignore[assignment,method-assign]
    ledger.enter_capture = lambda **entry: right(**entry | {"attempt_id": uuid4()})


@fault("a refund forgotten", verdict.RETURNED, shop=True)
def _no_refund() -> None:
    """Noted, and nobody is asked for it."""
    from mcommerce.orders.services import refunds

    right = refunds.request_refund

    def request(**asked: Any) -> list[Any]:
        right(**asked)
        return []

    refunds.request_refund = request


@fault("stock read, then written", verdict.STOCK, shop=True)
def _unguarded() -> None:
    from mcommerce.products.models import Stock
    from mcommerce.products.services import stock

    def hold(lines: Sequence[Any]) -> None:
        for line in lines:
            row = Stock.objects.get(product_id=line.product_id)
            if row.available < line.quantity:
                raise stock._Short((stock._shortage(line),))
            time.sleep(THINK_SECONDS)  # the mistake: others write meanwhile
            Stock.objects.filter(pk=row.pk).update(held=row.held + line.quantity)

    stock._hold = hold


@fault("a checkout that waits for the broker", verdict.TAKEN, "broker stopped", shop=True)
def _waits() -> None:
    from confluent_kafka.admin import AdminClient
    from django.conf import settings

    from mcommerce.orders.services import checkout

    right = checkout.publish

    def publish(*events: Any, **options: Any) -> None:
        servers = settings.EVENTBUS["OPTIONS"]["servers"]
        AdminClient({"bootstrap.servers": servers}).list_topics(timeout=ASK_SECONDS)
        right(*events, **options)

    checkout.publish = publish


@fault("a page server that ends at once", verdict.ANSWERED, "upgrade", shop=True)
def _ends_at_once() -> None:
    """Whoever knocks while it leaves finds that it is gone."""
    from mcommerce.serving import draining, gunicorn_worker

    right = gunicorn_worker.PageWorker.enqueue_req

    def enqueue_req(self: Any, conn: Any) -> None:
        if draining.is_leaving() and not gunicorn_worker._is_probe(conn.sock):
            os._exit(1)
        right(self, conn)

    gunicorn_worker.PageWorker.enqueue_req = enqueue_req  # type: ignore[method-assign]


ALL = {name: one for name, one in planted_mistakes.ALL.items() if one.shop}
