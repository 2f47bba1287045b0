"""Over a real Kafka, a new group begins with the oldest event that is kept: in the log, or only in the outbox."""

from typing import Any

import pytest

from eventbus.audit import delivery_audit
from eventbus.backends.kafka.backend import KafkaBackend
from eventbus.models import LostRecords, OutboxRow, Progress
from eventbus.recovery import log_problems
from tests.eventbus.bus_app import House, Mended
from tests.eventbus.busy_site import prune_a_day_later
from tests.eventbus.test_kafka_backfill import NAMES, let_go, log, say_each  # noqa: F401  # the fixture


def has_all(house: House, last: int) -> None:
    assert {name: house.seen("house-b", name) for name in NAMES} == dict.fromkeys(NAMES, list(range(1, last + 1)))
    assert delivery_audit.problems(delivery_audit.read()) == []
    assert not LostRecords.objects.exists()


def test_it_handles_all_that_the_log_has(log: KafkaBackend, house: House) -> None:  # noqa: F811
    say_each(house, 1, 2)

    house.handler("house-b", start="earliest")
    say_each(house, 3)
    house.settle()

    has_all(house, last=3)


@pytest.mark.parametrize("but", [0, 1])
def test_it_handles_what_is_only_in_the_outbox_any_more(
    log: KafkaBackend,  # noqa: F811
    house: House,
    but: int,
) -> None:
    say_each(house, 1, 2)
    let_go(log, but=but)

    house.handler("house-b", start="earliest")
    house.settle()
    say_each(house, 3)
    house.settle()
    house.restart()
    house.settle()

    has_all(house, last=3)


def test_what_log_and_outbox_let_go_of_before_it_began_is_no_loss(
    log: KafkaBackend,  # noqa: F811
    house: House,
    bus_clock: Any,
) -> None:
    house.handler("house-a", Mended("vase"), attempts=1)
    say_each(house, 1, 2, 3)
    house.settle()  # the first event of the vase stays, dead, and the others behind it
    let_go(log)
    assert prune_a_day_later(bus_clock).events > 0
    kept = OutboxRow.objects.count()

    house.handler("house-b", start="earliest")
    house.settle()
    say_each(house, 4)
    house.settle()

    assert len(house.seen("house-b")) == kept + len(NAMES)
    assert house.seen("house-b", "vase") == [1, 2, 3, 4]
    assert not LostRecords.objects.exists()
    assert log_problems.read(log) == []
    assert delivery_audit.problems(delivery_audit.read()) == []


def test_what_is_lost_after_it_began_is_told(log: KafkaBackend, house: House) -> None:  # noqa: F811
    say_each(house, 1)
    let_go(log)
    house.handler("house-b", start="earliest")
    say_each(house, 2)
    let_go(log)
    OutboxRow.objects.filter(offset__gte=Progress.objects.order_by("-log_began")[0].log_began).delete()

    house.settle()

    assert sum(LostRecords.objects.values_list("count", flat=True)) > 0
