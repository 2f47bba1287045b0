"""Promise 4: what fails parks its key, and nothing else."""

import pytest
from django.db import transaction

from eventbus import Permanent, RetryLater, handles, publish, registry
from eventbus.consuming.due_work import PARKED_AT_ONCE
from eventbus.failpoints import armed
from eventbus.models import DeadLetter, ParkedKey, Progress
from tests.eventbus.bus_app import House, Mended, Noted, Sown, Unknown, elsewhere
from tests.eventbus.database_obstacles import contention_at

TIMEOUT_SECONDS = 30.0  # until a handler gives up a server that does not answer


@pytest.mark.django_db(transaction=True)
class ParkTheKey:
    """Promise 4."""

    def test_a_handler_that_fails_once_is_retried_and_handles_once(self, house: House, bus_clock) -> None:
        broken = Mended("vase")
        house.handler(call=broken)
        house.say(("vase", 1))
        house.settle()
        assert house.parked() == ["vase"]

        broken.names.clear()
        bus_clock.advance(minutes=10)
        house.settle()

        assert (house.seen(), house.parked(), broken.calls) == ([("vase", 1)], [], 1)

    def test_an_error_after_a_parked_event_was_handled_is_not_blamed_on_the_next(self, house: House, bus_clock) -> None:
        broken = Mended("vase")
        house.handler(call=broken, batch=1)  # called once: no batch is tried before
        house.say(("vase", 1), ("vase", 2))
        house.settle()
        broken.names.clear()
        bus_clock.advance(minutes=10)

        with armed("retry.drain.committed=error") as plan:  # as a hook that raises after its transaction
            house.settle()

        assert plan.fired("retry.drain.committed")
        assert (house.seen(), house.parked(), broken.calls) == ([("vase", 1), ("vase", 2)], [], 1)

    def test_a_poison_event_parks_its_key_while_the_others_flow_and_resumes_in_order(self, house: House) -> None:
        broken = Mended("vase", error=Permanent("poison"))
        house.handler("house-a", broken)
        house.handler("house-b")
        house.say(("vase", 1), ("chair", 1), ("vase", 2))
        house.settle()
        house.say(("vase", 3), ("chair", 2))
        house.settle()
        assert house.seen() == [("chair", 1), ("chair", 2)]
        assert house.seen("house-b", "vase") == [1, 2, 3]
        assert house.waiting() == [2, 3]

        broken.names.clear()
        DeadLetter.objects.update(request="requeue")
        house.settle()

        assert house.seen(name="vase") == [1, 2, 3]
        assert (house.parked(), house.dead()) == ([], [])

    def test_each_handler_says_how_patient_it_is(self, house: House, bus_clock) -> None:
        hasty, calm = Mended("vase"), Mended("vase")
        house.handler("house-a", hasty, attempts=20, backoff=(1.0, 2.0))
        house.handler("house-b", calm, attempts=2, backoff=(0.0, 0.0))
        house.say(("vase", 1))
        for _ in range(10):  # waits without limit, drawn from zero up, are so short nine times in a row once in 2 ** 28
            house.settle()
            bus_clock.advance(seconds=2)

        assert hasty.calls >= 10
        assert len(house.dead("house-a")) == 0
        assert [letter.attempts for letter in house.dead("house-b")] == [2]

    def test_a_retry_that_meets_another_writer_is_no_failure(self, house: House, bus_clock) -> None:
        broken = Mended("vase")
        house.handler(call=broken, attempts=2)
        house.say(("vase", 1))
        house.settle()
        broken.names.clear()

        bus_clock.advance(hours=1)
        with contention_at('DELETE FROM "eventbus_parkedkey"'):  # when it was handled, and its row is deleted
            house.settle(raise_errors=True)

        assert house.seen(name="vase") == [1]
        assert (house.parked(), house.dead()) == ([], [])

    def test_keys_parked_in_others_partitions_keep_none_of_ours_waiting(self, house: House, bus_clock) -> None:
        broken = Mended("vase")
        house.handler(call=broken)
        ParkedKey.objects.bulk_create(
            ParkedKey(**elsewhere(number), due_at=bus_clock.now(), parked_at=bus_clock.now())
            for number in range(PARKED_AT_ONCE)
        )
        house.say(("vase", 1))
        house.settle()
        broken.names.clear()

        bus_clock.advance(hours=1)
        house.settle(raise_errors=True)

        assert house.seen(name="vase") == [1]
        assert len(house.parked()) == PARKED_AT_ONCE

    def test_a_long_queue_behind_a_parked_key_lets_others_have_their_turn(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("eventbus.consuming.due_work.PARKED_SECONDS", 3_600)  # their number ends the turn
        broken, numbers = Mended("vase", "cup", error=Permanent("poison")), range(3 * PARKED_AT_ONCE)
        house.handler(call=broken)
        house.say(*(("vase", number) for number in numbers))
        house.settle()
        house.say(("cup", 1))
        house.settle()
        broken.names.clear()
        DeadLetter.objects.update(request="requeue")
        house.say(("chair", 1))
        house.relay()
        house.restart()

        worker = house.worker()
        house.step(worker)
        assert house.seen(name="chair") == [1]
        assert len(house.seen(name="vase")) == PARKED_AT_ONCE
        house.step(worker)
        assert house.seen(name="cup") == [1]
        assert len(house.seen(name="vase")) < len(numbers)
        worker.leave()

        house.settle()
        assert house.seen(name="vase") == [*numbers]
        assert house.parked() == []

    def test_slow_retries_let_new_events_have_their_turn(self, house: House, bus_clock, monkeypatch) -> None:
        now, keys = [0.0], ["vase", "cup", "lamp"]

        def time_out(event: Noted) -> None:
            if event.name in keys:
                now[0] += TIMEOUT_SECONDS
                raise ValueError("no answer")

        monkeypatch.setattr("eventbus.clock.monotonic", lambda: now[0])
        house.handler(call=time_out, batch=1)  # called once: no batch is tried before
        house.say(*((key, 1) for key in keys))
        house.settle()
        bus_clock.advance(hours=1)
        house.say(("chair", 1))
        house.relay()
        house.restart()

        worker, now[0] = house.worker(), 0.0
        house.step(worker)
        assert (house.seen(), now[0]) == ([("chair", 1)], TIMEOUT_SECONDS)
        for _ in keys[1:]:
            assert house.step(worker) > 0  # the next follows at once
        assert sorted(ParkedKey.objects.values_list("key", "attempts")) == sorted((key, 2) for key in keys)

    def test_where_order_does_not_matter_a_dead_event_is_skipped(self, house: House) -> None:
        house.handler(
            call=lambda event: Mended("vase")(event) if event.number == 1 else None, attempts=1, on_dead="skip"
        )
        house.say(("vase", 1), ("vase", 2))
        house.settle()

        assert house.seen(name="vase") == [2]
        assert (len(house.dead()), house.parked()) == (1, [])

    def test_a_handler_that_is_too_early_waits_for_what_it_needs(self, house: House, bus_clock) -> None:
        early = Mended("vase", error=RetryLater("the other topic is behind"))
        house.handler(call=early)
        house.say(("vase", 1), ("vase", 2))
        house.settle()
        early.names.clear()

        bus_clock.advance(minutes=10)
        house.settle()

        assert house.seen(name="vase") == [1, 2]

    def test_an_event_that_nobody_handles_any_more_leaves_its_key(self, house: House, bus_clock) -> None:
        house.handler(call=Mended("vase"))
        house.say(("vase", 1))
        house.settle()
        registry.groups.clear()
        house.restart()
        handles(Unknown, group="house-a")(lambda event: None)  # a release without the old handler
        with transaction.atomic():
            publish(Unknown(name="vase"), Unknown(name="chair"))

        bus_clock.advance(hours=1)
        house.settle()

        assert house.parked() == []
        assert sum(Progress.objects.filter(group="house-a").values_list("handled", flat=True)) == 2

    def test_one_group_failing_does_not_disturb_another(self, house: House) -> None:
        house.handler("house-a", Mended("vase", "chair"))
        house.handler("house-b")
        house.say(("vase", 1), ("chair", 2))

        house.settle()

        assert len(house.seen("house-b")) == 2
        assert house.parked("house-b") == []

    def test_topics_never_wait_for_one_another(self, house: House) -> None:
        house.handler(call=Mended("vase"))
        house.handler(on=Sown)
        house.say(("vase", 1))
        house.settle()
        with transaction.atomic():
            publish(Sown(name="vase", number=2))

        house.settle()

        assert (house.seen(), house.parked()) == ([("vase", 2)], ["vase"])

    def test_what_a_handler_calls_permanent_is_dead_at_once(self, house: House) -> None:
        house.handler(call=Mended("vase", error=KeyError("gone")), permanent=(LookupError,))
        house.say(("vase", 1))

        house.settle()

        assert [(letter.error_class, letter.attempts) for letter in house.dead()] == [("KeyError", 1)]

    def test_the_next_event_of_a_key_has_attempts_of_its_own(self, house: House, bus_clock) -> None:
        ahead = {number: [ValueError(), ValueError()] for number in (1, 2)}

        def fail_twice(event: Noted) -> None:
            if ahead[event.number]:
                raise ahead[event.number].pop()

        house.handler(call=fail_twice, attempts=3)
        house.say(("vase", 1), ("vase", 2))
        for _ in range(6):
            house.settle()
            bus_clock.advance(hours=1)

        assert (house.seen(name="vase"), house.dead()) == ([1, 2], [])
