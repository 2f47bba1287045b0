"""Promise 2: handled once, also where partitions are taken over while their former owner is at work."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import InterfaceError, transaction

from eventbus import Permanent, failpoints, registry
from eventbus.consuming.worker import Worker
from eventbus.errors import StaleEpoch
from eventbus.failures import circuit_breaker, parking
from eventbus.models import ConsumerGroup, DeadLetter, Effect, InboxRow, ParkedEvent, ParkedKey, Progress
from eventbus.testing import Crash
from tests.eventbus.bus_app import House, Mended, Noted
from tests.waiting import DEADLINE_SECONDS

WRITTEN = (ConsumerGroup, Progress, InboxRow, ParkedKey, ParkedEvent, DeadLetter, Effect)  # by workers


def written(house: House) -> list[Any]:
    """All that workers have written."""
    return [house.seen(), *(list(table._default_manager.order_by("pk").values()) for table in WRITTEN)]


def see_it_write_nothing_more(house: House, former: Worker) -> None:
    """Its partitions are taken over: it finds out at its next step, and whoever follows goes on."""
    house.taken_over()
    left = written(house)
    with pytest.raises(StaleEpoch):
        house.step(former)
    assert written(house) == left
    former.leave()
    house.settle()


@contextmanager
def meanwhile(point: str, act: Callable[[], None]) -> Iterator[None]:
    """Somebody else acts when a failpoint is passed for the first time."""
    acts = [act]

    def passed(name: str) -> None:
        if name == point and acts:
            acts.pop()()

    with failpoints.armed(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(failpoints, "hit", passed)
        yield
    assert not acts, f"nothing passed {point}"


@pytest.mark.django_db(transaction=True)
class TakenOver:
    """Promise 2, where partitions are taken over."""

    @pytest.mark.parametrize("numbers", [[1], [1, 2]], ids=["an event", "several events"])
    @pytest.mark.parametrize("before", [0, 1], ids=["the first", "a later"])
    def test_a_worker_whose_partition_was_taken_over_writes_nothing(
        self, house: House, before: int, numbers: list[int]
    ) -> None:
        house.handler()
        house.say(*(("vase", 0) for _ in range(before)))
        house.relay()
        former = house.worker()
        house.step(former)
        house.say(*(("vase", number) for number in numbers))
        house.relay()

        see_it_write_nothing_more(house, former)

        assert house.seen(name="vase") == [*range(before), *numbers]

    @pytest.mark.parametrize(
        "error", [ValueError("broken"), Permanent("poison")], ids=["a retry is due", "a request waits"]
    )
    def test_a_worker_whose_parked_key_was_taken_over_writes_nothing(
        self, house: House, bus_clock, error: Exception
    ) -> None:
        broken = Mended("vase", error=error)
        house.handler(call=broken)
        house.say(("vase", 1))
        house.relay()
        former = house.worker()
        house.step(former)
        broken.names.clear()
        bus_clock.advance(hours=1)
        DeadLetter.objects.update(request="requeue")

        see_it_write_nothing_more(house, former)

        assert house.seen(name="vase") == [1]

    @pytest.mark.parametrize("refuses", [False, True], ids=["answered", "refused"])
    @pytest.mark.parametrize("probes", [False, True], ids=["closed", "open"])
    @pytest.mark.parametrize("parked", [False, True], ids=["an event", "a parked event"])
    def test_a_worker_whose_partition_is_taken_over_while_it_asks_writes_nothing(
        self, house: House, bus_clock, parked: bool, probes: bool, refuses: bool
    ) -> None:
        broken, left = Mended(*["vase"] * parked), []

        def ask(event: Noted, **named: str) -> None:
            broken(event)
            if not left:
                house.taken_over()
                left.append(written(house))
                if refuses:
                    raise ValueError("the provider is closed")

        house.effect(call=ask, record=house.recording("house-a"), on_unknown_outcome="retry")
        former = house.worker()
        house.step(former)
        house.say(("vase", 1))
        house.relay()
        if parked:
            house.step(former)
            broken.names.clear()
            bus_clock.advance(hours=1)
        if probes:
            circuit_breaker.trip("house-a", "most of it fails")
            house.step(former)  # to standing still

        with pytest.raises(StaleEpoch):
            house.step(former)

        assert [written(house)] == left
        former.leave()
        house.settle()
        assert house.seen(name="vase") == [1]

    @pytest.mark.parametrize("parked", [False, True], ids=["an event", "a parked event"])
    def test_a_worker_whose_partition_was_taken_over_before_it_asks_asks_nobody(
        self, house: House, bus_clock, parked: bool
    ) -> None:
        broken, asked = Mended(*["vase"] * parked), []

        def ask(event: Noted, **named: str) -> None:
            broken(event)
            asked.append(event.number)

        house.effect(call=ask, record=house.recording("house-a"), on_unknown_outcome="retry")
        former = house.worker()
        house.step(former)
        house.say(("vase", 1))
        house.relay()
        if parked:
            house.step(former)
            broken.names.clear()
            bus_clock.advance(hours=1)

        with (
            meanwhile("retry.begin.committed" if parked else "handle.begin.committed", house.taken_over),
            pytest.raises(StaleEpoch),
        ):
            house.step(former)

        assert asked == []
        former.leave()
        house.settle()
        assert house.seen(name="vase") == [1]

    def test_what_the_next_owner_died_in_is_in_doubt_for_who_had_begun_to_claim_it(self, house: House) -> None:
        asked: list[int] = []

        def die(event: Noted, **named: str) -> None:
            asked.append(event.number)
            raise Crash

        house.effect(call=die, record=house.recording("house-a"), on_unknown_outcome="never")
        house.say(("vase", 1))
        house.relay()
        former, following = house.worker(), house.worker()
        with failpoints.armed("effect.claim.commit=break"), pytest.raises(failpoints.BrokeHere):
            house.step(former)
        former.start_over()
        former.leave()
        with pytest.raises(Crash):
            house.step(following)
        following.leave()

        house.step(former)

        assert asked == [1]
        assert [letter.error_class for letter in house.dead()] == ["OutcomeUnknown"]
        former.leave()

    def test_a_key_whose_head_the_next_owner_has_buried_stays_parked(self, house: House, bus_clock) -> None:
        left: list[Any] = []

        def bury() -> None:
            house.taken_over()
            key = ParkedKey.objects.get()
            with transaction.atomic():
                parking.dead_letter_head(group, key, key.events.get(), Permanent("poison"), attempts=2)
            left.append(written(house))

        house.handler(call=Mended("vase"))
        group = registry.groups["house-a"]
        house.say(("vase", 1))
        house.relay()
        former = house.worker()
        house.step(former)
        bus_clock.advance(hours=1)

        with meanwhile("retry.begin.committed", bury), pytest.raises(StaleEpoch):
            house.step(former)

        assert [written(house)] == left
        assert house.parked() == ["vase"]
        former.leave()

    def test_a_crash_counts_though_an_outage_had_interrupted_the_worker_that_comes_after(self, house: House) -> None:
        """Only what the outage itself ended is no crash. Its partition had another owner since, which died."""
        deaths: list[Exception | type[BaseException]] = [InterfaceError("the connection is gone"), Crash]

        def die(event: Noted) -> None:
            raise deaths.pop(0)

        house.handler(call=die)
        [event_id] = house.say(("vase", 1))
        house.relay()
        interrupted, successor = house.worker(), house.worker()
        with pytest.raises(InterfaceError):
            house.step(interrupted)
        interrupted.start_over()
        with pytest.raises(Crash):
            house.step(successor)
        successor.leave()

        interrupted.catch_up(DEADLINE_SECONDS)

        assert [row.running_event for row in Progress.objects.exclude(running_event=None)] == [event_id]
        interrupted.leave()
