"""The ground that the machine walks on: the shop alone on its bus, the company in hand, and chance that repeats itself.

What goes wrong is ordered beforehand, one thing at a time: `Trouble` stands where the bus's failpoints are armed.
"""

import logging
import os
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
import requests
from django.conf import settings
from django.core import mail
from django.core.cache import cache
from django.db import transaction
from django.test import override_settings

from eventbus import Permanent, clock, failpoints, ids, registry
from eventbus.failpoints import FailedHere
from eventbus.registry import Group, Handler
from eventbus.testing import ConnectionDropped, Crash, forget, settle
from mcommerce.products.models import Product
from mcommerce.products.services.catalogue import publish_product, save_product
from mcommerce.products.services.stock import receive_stock
from outside import circuit_breaker
from tests import event_history
from tests.journeys.machine.provider import KEY, SECRET, URL, Company

MORNING = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
GROUPS = ("mail", "orders", "payment", "payment-checks", "payment-refunds", "products")
PRODUCTS = 3
PIECES = 2  # of each product in the morning: few, so that people get into each other's way
PARTITIONS = 1  # a topic: the faults lets keys overtake one another, and more partitions only cost time
PRICES = (1_900, 4_500, 0)  # one is given away: an order of it alone is paid without the company


class Trouble:
    """The next pass of a point goes wrong, once."""

    WAYS = {"crash": Crash, "drop": ConnectionDropped, "error": FailedHere}

    def __init__(self) -> None:
        self._point, self._way = "", ""
        self.met = 0

    def order(self, point: str, way: str) -> None:
        self._point, self._way = point, way

    def passed(self, name: str) -> None:
        """What a failpoint calls."""
        if name == self._point:
            self._point = ""
            self.met += 1
            raise self.WAYS[self._way](f"trouble at {name}")


class Spoiled(Permanent):
    """An event that cannot be handled, until somebody mends what is wrong."""


class Floor:
    """One per test; each example begins with `opened`. `steps` and `examples` count what was walked."""

    def __init__(self) -> None:
        self.steps = self.examples = self.rests = 0
        self.deeds = 0  # of the faults
        self.typed: Counter[str] = Counter()  # what operators had to do with, and did
        self.trouble = Trouble()
        self.spoiled: list[str] = []  # groups whose next event cannot be handled; "" is any
        self.company: Company
        self.products: list[Product] = []

    def send(self, asked: requests.PreparedRequest, **options: Any) -> requests.Response:
        return self.company.send(asked, **options)

    def look_at(self, handler: Handler) -> None:
        """Before it is called."""
        for group in {"", handler.group} & set(self.spoiled):
            self.spoiled.remove(group)
            raise Spoiled(f"{handler.group} is spoiled")

    def spoil(self, group: str) -> None:
        """The next event of this group is dead at once; of whichever group is first, where it is empty."""
        self.spoiled.append(group)

    @contextmanager
    def opened(self) -> Iterator[None]:
        """A morning in the shop; nothing of the day stays."""
        self.examples += 1
        start_chance_anew()
        clock.hold(MORNING)
        mail.outbox.clear()
        cache.clear()
        self.trouble.order("", "")
        self.spoiled.clear()
        self.company = Company()
        with undone():
            forget()
            circuit_breaker.forget()
            yield
        self.company.close()
        clock.hold(None)
        forget()


@contextmanager
def undone() -> Iterator[None]:
    """The database is as before afterwards."""
    inside = transaction.atomic()
    inside._from_testcase = True  # as a TestCase does: what is published inside it needs a transaction of its own
    with inside:
        yield
        transaction.set_rollback(True)


def start_chance_anew() -> None:
    """Ids, keys and so partitions are the same each time an example is walked."""
    dice = random.Random(0)
    os.urandom = dice.randbytes  # type: ignore[assignment]
    random._urandom = dice.randbytes  # type: ignore[attr-defined]  # what `secrets` draws from
    ids._last = 0


def put_on_sale(floor: Floor) -> None:
    for number in range(PRODUCTS):
        product = Product(
            sku=f"P{number}",
            slug=f"p{number}",
            title={"en": f"Product {number}"},
            price=PRICES[number],
            currency="EUR",
            tax_rate=2_000,
        )
        save_product(product=product, now=clock.now())
        receive_stock(product_id=product.id, quantity=PIECES, now=clock.now())
        publish_product(product_id=product.id, now=clock.now())
        floor.products.append(product)
    settle()


def shop_alone(floor: Floor) -> dict[str, Group]:
    """The shop's groups; what they handle is written down (`tests.event_history`), and some cannot handle anything."""
    return {name: event_history.noting(registry.groups[name], floor.look_at) for name in GROUPS}


@contextmanager
def laid() -> Iterator[Floor]:
    """A shop with three products, two pieces each, on the bus of this process. Asks for a transaction around it."""
    floor = Floor()
    company = {"SANDBOX_PROVIDER_URL": URL, "SANDBOX_PROVIDER_KEY": KEY, "SANDBOX_WEBHOOK_SECRET": SECRET}
    with pytest.MonkeyPatch.context() as patch, override_settings(**company):
        patch.setattr(requests.adapters.HTTPAdapter, "send", lambda adapter, asked, **options: floor.send(asked))
        event_history.lay_tables({name: registry.groups[name] for name in GROUPS})
        patch.setattr(registry, "groups", shop_alone(floor))
        patch.setattr(ids, "time", SimpleNamespace(time_ns=lambda: int(clock.now().timestamp() * 1e9)))
        patch.setattr(os, "urandom", os.urandom)  # so that they are as before afterwards
        patch.setattr(random, "_urandom", random._urandom)
        patch.setattr(failpoints, "_plan", floor.trouble)
        logging.disable(logging.CRITICAL)  # thousands of deaths are told of
        clock.hold(MORNING)
        try:
            put_on_sale(floor)
            yield floor
        finally:
            clock.hold(None)
            logging.disable(logging.NOTSET)


@pytest.fixture
def floor(db: None) -> Iterator[Floor]:
    """See `laid`, with the bus in memory."""
    with override_settings(EVENTBUS={**settings.EVENTBUS, "OPTIONS": {"partitions": PARTITIONS}}), laid() as floor:
        yield floor
