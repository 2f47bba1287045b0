"""Mistakes in the shop and its admin: chaos, the sweep and random days notice them, by what becomes of orders."""

import os
import secrets
import time
from collections.abc import Sequence
from functools import partial
from typing import Any
from uuid import uuid4

from confluent_kafka.admin import AdminClient
from django.conf import settings

from eventbus.operations import pausing
from mcommerce.orders.services import checkout, refunds
from mcommerce.payment.providers import sandbox
from mcommerce.payment.services import ledger
from mcommerce.products.models import Stock
from mcommerce.products.services import stock
from mcommerce.serving import draining, gunicorn_worker
from tests.simulation.mistakes import mistake as of_the_bus
from tests.simulation.mistakes.mistake import Right, by_name

THINK_SECONDS = 1.0  # between reading and writing: with an order a second, some meet
ASK_SECONDS = 2  # for Kafka's answer

mistake = partial(of_the_bus.mistake, breaks=None, noticed_by=())


@mistake(ledger.enter_capture)
def a_capture_is_entered_twice(right: Right, **entry: Any) -> None:
    """Under a reference of its own each time, so the database does not mind."""
    right(**entry)
    right(**entry | {"attempt_id": uuid4()})


@mistake(refunds.request_refund)
def a_refund_is_noted_and_asked_of_nobody(right: Right, **asked: Any) -> list[Any]:
    right(**asked)
    return []


@mistake(stock._hold)
def stock_is_read_and_then_written(right: Right, lines: Sequence[Any]) -> None:
    for line in lines:
        row = Stock.objects.get(product_id=line.product_id)
        if row.available < line.quantity:
            raise stock._Short((stock._shortage(line),))
        time.sleep(THINK_SECONDS)  # the mistake: others write meanwhile
        Stock.objects.filter(pk=row.pk).update(held=row.held + line.quantity)


@mistake(checkout._place)
def a_checkout_waits_for_the_broker(right: Right, *given: Any, **named: Any) -> Any:
    AdminClient({"bootstrap.servers": settings.EVENTBUS["OPTIONS"]["servers"]}).list_topics(timeout=ASK_SECONDS)
    return right(*given, **named)


@mistake(gunicorn_worker.PageWorker.enqueue_req)
def a_page_server_ends_at_once(right: Right, self: Any, conn: Any) -> None:
    """A visitor who comes while it leaves finds that it is gone."""
    if draining.is_leaving() and not gunicorn_worker._is_probe(conn.sock):
        os._exit(1)
    right(self, conn)


@mistake(sandbox.Sandbox._call)
def a_payment_is_opened_without_a_key(right: Right, self: Any, *asked: Any, key: str = "", **named: Any) -> Any:
    return right(self, *asked, key=key and secrets.token_hex(), **named)


@mistake(pausing.pause)
def a_pause_is_noted_after_its_commit(right: Right, *given: Any) -> None:
    noted: list[Any] = []
    note, pausing._note = pausing._note, lambda *action: noted.append(action)
    try:
        right(*given)
    finally:
        pausing._note = note
    for action in noted:
        note(*action)


MISTAKES = by_name(globals())
