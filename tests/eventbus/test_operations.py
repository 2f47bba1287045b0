"""An operator looks at the bus, and decides about what died."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import transaction

from eventbus import Permanent, clock, publish
from eventbus.database.storable_text import readable
from eventbus.ids import uuid7
from eventbus.models import ConsumerGroup, DeadLetter, OperatorAction, ProcessRow, Progress
from eventbus.operations import status
from eventbus.operations.status import GroupStatus
from eventbus.repairs import dead_letters
from tests.eventbus.bus_app import House, Noted, open_house

WHO = "Ada"
HOUR = timedelta(hours=1)


class Poisoned:
    """A handler that one number makes fail for good, until it is mended."""

    def __init__(self, *numbers: int) -> None:
        self.numbers = set(numbers)

    def __call__(self, event: Noted) -> None:
        if event.number in self.numbers:
            raise Permanent(f"number {event.number} is poison")

    def mend(self) -> None:
        self.numbers.clear()


@pytest.fixture
def house(db: None) -> Iterator[House]:
    """One thread is enough here, so each test's transaction is simply undone."""
    with open_house() as house:
        yield house


@pytest.fixture
def poisoned(house: House) -> Poisoned:
    """A group whose vase died at 1, with 2 and 3 behind it, while the chair went by."""
    handler = Poisoned(1)
    house.handler(call=handler)
    house.say(("vase", 1), ("vase", 2), ("chair", 4), ("vase", 3))
    house.settle()
    assert house.seen() == [("chair", 4)]
    return handler


@pytest.fixture
def handled(db: None) -> None:
    """A living process handles for all groups."""
    now, groups = clock.now(), {"house-a": []} | dict.fromkeys(Progress.objects.values_list("group", flat=True), [])
    ProcessRow.objects.create(
        id=uuid7(), role="all", host="here", pid=1, assignment=groups, began_at=now - HOUR, beat_at=now + HOUR
    )


def status_of(group: str) -> GroupStatus:
    [found] = [one for one in status.status().groups if one.group == group]
    return found


def test_what_is_gone_or_discarded_is_refused(house: House, poisoned: Poisoned) -> None:
    [letter] = status.dead(group="house-a")
    status.request_discard(letter, WHO)
    house.settle()

    with pytest.raises(dead_letters.DecisionRefused, match="discarded already"):
        status.request_requeue(letter, WHO)
    DeadLetter.objects.filter(pk=letter.pk).delete()
    with pytest.raises(dead_letters.DecisionRefused, match="gone"):
        status.request_requeue(letter, WHO)

    assert OperatorAction.objects.count() == 1


def test_status_counts_what_waits_and_what_died(house: House, poisoned: Poisoned) -> None:
    house.say(("chair", 5))
    with transaction.atomic():
        publish(Noted(name="vase", number=9), due=clock.now() + timedelta(hours=1))

    found = status.status()

    assert (found.outbox.depth, found.timers.count) == (1, 1)
    assert found.timers.next_due is not None
    house_a = status_of("house-a")
    assert (house_a.offset, house_a.end, house_a.lag, house_a.handled) == (4, 4, 0, 1)
    assert (house_a.dead_keys, house_a.retrying_keys, house_a.dead_letters) == (1, 0, 1)


@pytest.mark.usefixtures("handled")
def test_a_key_that_is_tried_again_and_again_is_a_problem_after_a_while(house: House, bus_clock) -> None:
    def fail(event: Noted) -> None:
        raise ValueError("not now")

    house.handler(call=fail, attempts=1_000)
    house.say(("vase", 1))
    house.settle()
    assert status.problems(status.status(), dispatches=True) == []

    bus_clock.advance(seconds=status.RETRYING_SECONDS_MAX + 1)

    [problem] = status.problems(status.status(), dispatches=True)
    assert problem.startswith("Group house-a has failed at 1 keys 3 times, or for over 10 minutes, and goes on")


@pytest.mark.usefixtures("handled")
def test_a_key_that_has_failed_three_times_is_a_problem_unless_the_breaker_says_it(house: House, bus_clock) -> None:
    def fail(event: Noted) -> None:
        raise ValueError("a bad release")

    house.handler(call=fail, backoff=(1.0, 1.0))
    house.say(("vase", 1))
    house.settle()
    for _retry in range(status.FAILED_ATTEMPTS - 1):
        assert status.problems(status.status(), dispatches=True) == []
        bus_clock.advance(seconds=1)
        house.settle()

    [problem] = status.problems(status.status(), dispatches=True)
    assert (problem.kind, problem.about) == ("retrying", "house-a")

    ConsumerGroup.objects.filter(name="house-a").update(breaker_opened_at=clock.now(), breaker_reason="most failed")

    assert [one.kind for one in status.problems(status.status(), dispatches=True)] == ["breaker"]


@pytest.mark.usefixtures("handled")
def test_an_old_unsent_event_is_a_problem(house: House, bus_clock) -> None:
    house.handler()
    house.say(("vase", 1))
    assert status.problems(status.status(), dispatches=True) == []

    bus_clock.advance(seconds=status.UNSENT_SECONDS_MAX + 1)

    [problem] = status.problems(status.status(), dispatches=True)
    assert "31 s old" in problem


@pytest.mark.parametrize(
    ("payload", "shown"),
    [
        (b'{"title":"Caf\xc3\xa9"}', '{\n  "title": "Café"\n}'),
        (b"\xff\x00<b>", "\\xff\\x00<b>"),
        (b"[" * 100_000, "[" * 100_000),
        (b'"\\ud800"', '"\\ud800"'),
        (memoryview(b"1"), "1"),
    ],
)
def test_any_payload_can_be_looked_at(payload: bytes, shown: str) -> None:
    assert readable(payload) == shown
