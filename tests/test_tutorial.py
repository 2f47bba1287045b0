"""`docs/tutorial.md`: its files and commands are typed word for word in a copy of the project, and do what it says."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from uuid import uuid4

import pytest

from tests.page_reader import DEADLINE_SECONDS, Reader
from tests.waiting import until

pytestmark = pytest.mark.xdist_group("tutorial")  # one process makes what they share

# Somebody orders a vase, and the provider's word that it is paid comes. Nobody handles it yet.
BUY = """
from uuid import uuid4
from django.db import transaction
from django.test import Client
from django.test.utils import setup_test_environment
from eventbus import publish
from eventbus.testing import sample
from mcommerce.events import PaymentSucceeded
from mcommerce.orders.models import Order
from tests import purchase_steps

setup_test_environment()
vase = purchase_steps.vase()
order = Order.objects.get(id=purchase_steps.check_out(Client(SERVER_NAME="127.0.0.1"), vase))
purchase_steps.rest()
with transaction.atomic():
    publish(sample(PaymentSucceeded, order_id=order.id, amount=order.total, currency=order.currency))
"""
# All that may happen within an hour, failures included.
AN_HOUR = """
from eventbus import clock
from eventbus.testing import settle

clock.hold(clock.now())
for _ in range(12):
    settle(raise_errors=False)
    clock.advance(minutes=5)
"""
POINTS = """
from mcommerce.loyalty.models import OrderPoints
print(*OrderPoints.objects.values_list("points", flat=True))
"""


class Student(Reader):
    """A reader of the tutorial."""

    def count(self, group: str, what: str) -> int:
        """The sum over a group's topics in `eventbus status`."""
        told = self.attempt(".venv/bin/python manage.py eventbus status --json").stdout
        found, _end = json.JSONDecoder().raw_decode(told, told.index("{"))  # the problems are printed after it
        return sum(one[what] for one in found["groups"] if one["group"] == group)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Student:
    """Somebody who has followed the page up to the failing handler."""
    reader = Student(tmp_path_factory.mktemp("tutorial") / "mcommerce", "tutorial.md")
    reader.follow()
    return reader


def test_the_house_finds_nothing_wrong_with_the_module(reader: Student) -> None:
    reader.find_nothing_wrong("loyalty")


def test_the_texts_of_the_module_are_french_too(reader: Student) -> None:
    code = """
from django.utils import translation
translation.activate("fr")
print(translation.gettext("Your loyalty points"), "|", translation.gettext("Loyalty points"))
"""
    assert reader.run(code) == "Vos points de fidélité | Points de fidélité"


def test_a_failing_handler_is_found_and_healed(reader: Student) -> None:
    reader.attempt(".venv/bin/python manage.py migrate --verbosity 0")
    reader.type("break")
    reader.run(BUY)
    reader.run("from eventbus.testing import settle; settle(raise_errors=False)")

    printed = reader.attempt(reader.text_of("status")).stdout
    assert re.search(r"^loyalty +orders\b", printed, re.MULTILINE), printed
    assert reader.count("loyalty", "retrying_keys") == 1
    reader.run(AN_HOUR)
    assert reader.count("loyalty", "dead_letters") == 1
    assert reader.count("orders", "dead_letters") == 0, "a group that fails disturbs no other"

    reader.type("mend")
    reader.type("requeue")
    reader.run("from eventbus.testing import settle; settle(raise_errors=False)")

    assert reader.run(POINTS) == "19"
    assert reader.count("loyalty", "dead_letters") == 0
    assert reader.misfits() == []


def test_the_module_runs_over_kafka_as_it_is(reader: Student, kafka: str) -> None:
    site = {
        "EVENTBUS_BACKEND": "kafka",
        "KAFKA_BOOTSTRAP_SERVERS": kafka,
        "KAFKA_PREFIX": f"{uuid4().hex[:8]}.",
        "VAR_DIR": str(reader.folder / "var-kafka"),
    }
    reader.type("kafka", **site)
    with processes(reader, site, "relay_events", "handle_events"):
        reader.run(BUY, **site)
        until(lambda: reader.run(POINTS, **site) == "19", "the points", seconds=DEADLINE_SECONDS)
    assert reader.misfits(**site) == []


@contextmanager
def processes(reader: Student, site: dict[str, str], *commands: str) -> Iterator[None]:
    begun = []
    try:
        for command in commands:
            with (reader.folder / f"{command}.log").open("wb") as log:
                words = [sys.executable, "manage.py", command]
                environment = reader.environment | site
                begun.append(subprocess.Popen(words, cwd=reader.folder, env=environment, stdout=log, stderr=log))
        yield
    finally:
        for process in begun:
            process.terminate()
        for process in begun:
            process.wait(DEADLINE_SECONDS)
