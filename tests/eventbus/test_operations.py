"""An operator looks at the bus, and decides about what died."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import transaction

from eventbus import Permanent, clock, publish
from eventbus.database.leases import Lease, is_beating
from eventbus.database.storable_text import readable
from eventbus.ids import uuid7
from eventbus.models import ConsumerGroup, DeadLetter, OperatorAction, ParkedKey, ProcessRow, Progress
from eventbus.operations import status, topic_setup
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


def test_a_mended_event_is_requeued_and_its_key_goes_on_in_order(house: House, poisoned: Poisoned) -> None:
    [letter] = status.dead(group="house-a")

    poisoned.mend()
    status.request_requeue(letter, WHO)
    house.settle()

    assert house.seen(name="vase") == [1, 2, 3]
    assert not status.dead().exists()
    assert house.parked() == []


def test_a_requeued_event_that_is_still_poison_dies_again(house: House, poisoned: Poisoned) -> None:
    [letter] = status.dead(group="house-a")

    status.request_requeue(letter, WHO)
    house.settle()

    assert house.seen(name="vase") == []
    assert [again.event_id for again in status.dead()] == [letter.event_id]


def test_a_discarded_event_lets_its_key_go_on_and_stays_to_be_read(house: House, poisoned: Poisoned) -> None:
    [letter] = status.dead(group="house-a")

    status.request_discard(letter, WHO)
    house.settle()

    assert house.seen(name="vase") == [2, 3]
    assert not status.dead().exists()
    assert [gone.pk for gone in status.dead(discarded=True)] == [letter.pk]
    assert status_of("house-a").discarded == 1


def test_every_wish_leaves_who_wished_it(house: House, poisoned: Poisoned) -> None:
    [letter] = status.dead(group="house-a")

    status.request_discard(letter, WHO)

    action = OperatorAction.objects.get()
    assert (action.who, action.action, action.event_id, action.key) == (WHO, "discard", letter.event_id, "vase")
    assert "number 1 is poison" in action.error


def test_the_first_wish_stands(house: House, poisoned: Poisoned) -> None:
    [letter] = status.dead(group="house-a")
    status.request_requeue(letter, WHO)

    with pytest.raises(dead_letters.DecisionRefused, match="earlier request"):
        status.request_discard(letter, "Bob")

    letter.refresh_from_db()
    assert letter.request == DeadLetter.Request.REQUEUE
    assert OperatorAction.objects.count() == 1


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


def test_a_letter_whose_key_did_not_wait_sets_no_dead_key_free(house: House, poisoned: Poisoned) -> None:
    """A handler's order may not matter for one event, and matter for another of the same key."""
    stands_aside = DeadLetter.objects.get()
    stands_aside.pk, stands_aside.parks, stands_aside.offset = None, False, 0
    stands_aside.event_id, stands_aside.payload = uuid7(), b'{"name":"vase","number":7}'
    stands_aside.save()

    status.request_requeue(stands_aside, WHO)
    house.settle()

    assert house.seen(name="vase") == []
    assert ParkedKey.objects.get().state == ParkedKey.State.DEAD


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


def test_lag_is_what_a_group_has_not_reached(house: House) -> None:
    house.handler()
    house.say(("vase", 1), ("chair", 2))
    house.relay()

    assert status_of("house-a").lag == 2


def test_a_key_that_will_be_tried_again_is_told_apart_from_a_dead_one(house: House) -> None:
    def fail(event: Noted) -> None:
        raise ValueError("not now")

    house.handler(call=fail)
    house.say(("vase", 1))
    house.settle()

    found = status_of("house-a")
    assert (found.retrying_keys, found.dead_keys, found.dead_letters) == (1, 0, 0)


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


def test_a_topic_tells_who_says_what_to_whom(house: House) -> None:
    house.handler()
    house.say(("vase", 1))
    house.settle()

    [topic] = [one for one in topic_setup.topics() if one.topic == "house"]

    assert {"house.noted.v1", "house.unknown.v1"} <= set(topic.types), "other tests tell more there"
    assert topic.groups == ["house-a"]
    assert sum(topic.ends) == 1


@pytest.mark.django_db
def test_a_lease_whose_owner_died_is_not_beating() -> None:
    assert not is_beating("dispatcher", seconds=0)
    lease = Lease("dispatcher")
    lease.acquire()

    assert not is_beating("dispatcher", seconds=0.3)

    lease.release()
    assert not is_beating("dispatcher")


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
