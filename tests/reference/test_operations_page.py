"""An operator types the blocks of docs/operations.md, and what is written beside each command happens."""

import re
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction

from eventbus import Permanent, publish
from eventbus.audit import delivery_audit
from eventbus.models import OutboxRow, ReplayRun
from eventbus.testing import sample, settle
from mcommerce.events import ProductPublished
from mcommerce.orders.models import Offer
from tests.eventbus.bus_app import House, Mended, Noted
from tests.eventbus.busy_site import PLACES, many
from tests.eventbus.test_commands import run
from tests.reference.command_lines import commands_in_shell
from tests.reference.tables import ROOT

PAGE = (ROOT / "docs/operations.md").read_text()
[DECIDING] = re.findall(r"^```sh\n(manage.py eventbus requeue .*?)^```", PAGE, re.DOTALL | re.MULTILINE)
[REPLAYING] = re.findall(r"^```sh\n(manage.py eventbus replay .*?)^```", PAGE, re.DOTALL | re.MULTILINE)
[SKIPPING] = re.findall(r"^```sh\n(manage.py eventbus pause .*?)^```", PAGE, re.DOTALL | re.MULTILINE)
REQUEUE, DISCARD, UNDO = commands_in_shell(DECIDING)
DRY_RUN, SINCE, ONE_KEY = commands_in_shell(REPLAYING)
PAUSE, COUNT, SKIP, RESUME, UNDO_SKIP = commands_in_shell(SKIPPING)


def value(words: list[str], option: str) -> str:
    """What the page gives to an option."""
    return words[words.index(option) + 1]


# --- many dead letters ---------------------------------------------------------------------------------------------

GROUP, KEY, EVENTS = value(REQUEUE, "--group"), value(DISCARD, "--key"), int(value(DISCARD, "--expect"))


def places() -> dict[str, int]:
    """Where the events of the group lie."""
    [found] = [one for one in delivery_audit.read().accounts if (one.group, one.topic) == (GROUP, Noted.topic)]
    counted = {name: getattr(found, name) for name in PLACES}
    return {name: count for name, count in counted.items() if count}


@pytest.fixture
def broken(house: House) -> Mended:
    """A group whose key is dead since a faulty release, with as many events as the page has."""
    broken = Mended(KEY, error=Permanent("faulty release"))
    house.handler(GROUP, broken, batch=EVENTS)
    house.say(*many(KEY, EVENTS))
    house.settle()
    assert places() == {"dead": 1, "parked": EVENTS - 1}
    return broken


def test_all_of_the_group_is_handled_again_once_the_handler_is_mended(house: House, broken: Mended) -> None:
    broken.names.clear()

    assert run(*REQUEUE)[0] == 0
    house.settle(raise_errors=True)

    assert house.seen(GROUP, KEY) == list(range(1, EVENTS + 1))


def test_a_key_is_discarded_with_what_waits_and_the_number_undoes_it(house: House, broken: Mended) -> None:
    code, said, complaint = run(*DISCARD)
    assert (code, complaint) == (0, "")
    house.settle()
    assert places() == {"discarded": EVENTS}

    [number] = re.findall(r"undo --decision (\d+)", said)
    assert run(*UNDO[:-1], number)[0] == 0
    house.settle()

    assert UNDO[-1].isdecimal()
    assert places() == {"dead": 1, "parked": EVENTS - 1}


# --- replaying -----------------------------------------------------------------------------------------------------

FAULTY_SINCE = datetime.fromisoformat(value(SINCE, "--since"))
PRODUCT_ID = UUID(value(ONE_KEY, "--key"))


@pytest.fixture
def wrong_projection(transactional_db: None, bus_clock: Any) -> None:
    """The orders know nothing of three products: one from before the bug, one of the page's key, and one more."""
    for minutes, product_id in ((-60, None), (5, PRODUCT_ID), (10, None)):
        bus_clock.hold(FAULTY_SINCE + timedelta(minutes=minutes))
        with transaction.atomic():
            publish(sample(ProductPublished, **({"product_id": product_id} if product_id else {})))
    settle(only=["orders"])
    assert Offer.objects.count() == 3
    Offer.objects.all().delete()


@pytest.mark.usefixtures("wrong_projection")
def test_a_dry_run_counts_by_type_and_writes_nothing() -> None:
    code, said, _ = run(*DRY_RUN)

    assert code == 0
    assert re.search(r"product\.published\.v1\D+3\b|\b3 product\.published\.v1", said), said
    assert not Offer.objects.exists()
    assert not ReplayRun.objects.exists()


@pytest.mark.usefixtures("wrong_projection")
def test_the_events_since_the_bug_mend_the_projection() -> None:
    assert run(*SINCE)[0] == 0

    later = OutboxRow.objects.filter(created_at__gte=FAULTY_SINCE).values_list("key", flat=True)
    assert {str(one) for one in Offer.objects.values_list("product_id", flat=True)} == set(later)
    assert len(later) == 2


@pytest.mark.usefixtures("wrong_projection")
def test_the_events_of_one_key_mend_its_row() -> None:
    assert run(*ONE_KEY)[0] == 0

    assert [one.product_id for one in Offer.objects.all()] == [PRODUCT_ID]


# --- skipping ------------------------------------------------------------------------------------------------------

GOES_ON_AT, SKIPPED = datetime.fromisoformat(value(SKIP, "--to-time")), int(value(SKIP, "--expect"))


@pytest.fixture
def late(house: House, bus_clock: Any) -> House:
    """A group that is paused, as many events from before the page's time as the page counts, and one from later."""
    house.handler(GROUP)
    assert run(*PAUSE)[0] == 0
    bus_clock.hold(GOES_ON_AT - timedelta(hours=1))
    house.say(*many(KEY, SKIPPED))
    bus_clock.hold(GOES_ON_AT)
    house.say((KEY, SKIPPED + 1))
    house.settle()
    return house


def test_old_events_are_counted_skipped_and_brought_back(late: House) -> None:
    code, said, _ = run(*COUNT)
    assert (code, f"to skip: {SKIPPED} events" in said, places()) == (0, True, {"pending": SKIPPED + 1})

    code, said, complaint = run(*SKIP)
    assert (code, complaint) == (0, "")
    assert run(*RESUME)[0] == 0
    late.settle()
    assert places() == {"handled": 1, "discarded": SKIPPED}

    [number] = re.findall(r"undo --decision (\d+)", said)
    assert run(*UNDO_SKIP[:-1], number)[0] == 0
    late.settle()
    assert places() == {"handled": SKIPPED + 1}
