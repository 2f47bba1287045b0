"""Promise 4: what fails parks its key, and nothing else."""

from typing import Any

import msgspec
import pytest
from django.db import transaction

from eventbus import NotYet, Permanent, handles, publish, registry
from eventbus.failpoints import armed
from eventbus.ids import uuid7
from eventbus.models import DeadLetter, OutboxRow, ParkedEvent, ParkedKey, Progress
from eventbus.worker import PARKED_AT_ONCE
from tests.eventbus.house import House, Mended, Noted, Unknown, contention_at, refusing_dead_letters

ELSEWHERE = 999  # a partition that this process does not own, since it has never heard of it


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
        house.handler(call=broken)
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
        assert [row.number for row in _parked_numbers()] == [2, 3]

        broken.names.clear()
        DeadLetter.objects.update(request="requeue")
        house.settle()

        assert house.seen(name="vase") == [1, 2, 3]
        assert (house.parked(), house.dead()) == ([], [])

    def test_after_the_last_attempt_there_is_a_dead_letter_with_all_one_needs(self, house: House, bus_clock) -> None:
        house.handler(call=Mended("vase", error=ValueError("no\0such\ud800thing")), attempts=3)
        house.say(("vase", 1))
        for _ in range(5):
            house.settle()
            bus_clock.advance(hours=1)

        [letter] = house.dead()

        assert (letter.attempts, letter.error_class) == (3, "ValueError")
        assert bytes(letter.payload) == b'{"name":"vase","number":1}'
        assert "Mended" not in letter.error
        assert "raise self.error" in letter.traceback
        assert ParkedKey.objects.get().state == ParkedKey.State.DEAD

    def test_each_handler_says_how_patient_it_is(self, house: House, bus_clock) -> None:
        hasty, calm = Mended("vase"), Mended("vase")
        house.handler("house-a", hasty, attempts=20, backoff=(1.0, 2.0))
        house.handler("house-b", calm, attempts=2, backoff=(0.0, 0.0))
        house.say(("vase", 1))
        for _ in range(6):
            house.settle()
            bus_clock.advance(seconds=2)

        assert hasty.calls >= 6
        assert len(house.dead("house-a")) == 0
        assert [letter.attempts for letter in house.dead("house-b")] == [2]

    def test_discard_lets_the_key_go_on_without_it(self, house: House) -> None:
        broken = Mended("vase", error=Permanent("poison"))
        house.handler(call=broken)
        house.say(("vase", 1), ("vase", 2))
        house.settle()
        broken.names.clear()

        DeadLetter.objects.update(request="discard")
        house.settle()
        house.rewind()
        house.settle()

        assert house.seen(name="vase") == [2]
        assert [letter.state for letter in house.dead()] == [DeadLetter.State.DISCARDED]

    def test_a_discard_that_meets_another_writer_stays_a_discard(self, house: House) -> None:
        broken = Mended("vase", error=Permanent("poison"))
        house.handler(call=broken)
        house.say(("vase", 1), ("vase", 2))
        house.settle()
        broken.names.clear()

        DeadLetter.objects.update(request="discard")
        with contention_at("INSERT INTO eventbus_inbox"):  # when the letter has been changed
            house.settle()

        assert house.seen(name="vase") == [2]
        assert [letter.state for letter in house.dead()] == [DeadLetter.State.DISCARDED]
        assert Progress.objects.filter(discarded=1).count() == 1

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

    @pytest.mark.parametrize("attempts", [1, 2], ids=["at once", "after a retry"])
    def test_a_dead_letter_that_meets_another_writer_tells_all_the_same(
        self, house: House, bus_clock, attempts: int
    ) -> None:
        house.handler(call=Mended("vase"), attempts=attempts)
        house.say(("vase", 1), ("vase", 2))
        with contention_at('INSERT INTO "eventbus_deadletter"'):
            for _ in range(attempts):
                house.settle()
                bus_clock.advance(hours=1)

        [letter] = house.dead()

        assert (letter.error, letter.attempts) == ("broken", attempts)
        assert "raise self.error" in letter.traceback
        assert ParkedKey.objects.get().state == ParkedKey.State.DEAD
        assert [row.number for row in _parked_numbers()] == [2]

    def test_keys_parked_in_others_partitions_keep_none_of_ours_waiting(self, house: House, bus_clock) -> None:
        broken = Mended("vase")
        house.handler(call=broken)
        ParkedKey.objects.bulk_create(
            ParkedKey(**_elsewhere(number), due_at=bus_clock.now(), parked_at=bus_clock.now())
            for number in range(PARKED_AT_ONCE)
        )
        house.say(("vase", 1))
        house.settle()
        broken.names.clear()

        bus_clock.advance(hours=1)
        house.settle(raise_errors=True)

        assert house.seen(name="vase") == [1]
        assert len(house.parked()) == PARKED_AT_ONCE

    def test_wishes_for_others_partitions_keep_none_of_ours_waiting(self, house: House, bus_clock) -> None:
        broken = Mended("vase", error=Permanent("poison"))
        house.handler(call=broken)
        house.say(("vase", 1))
        house.settle()
        broken.names.clear()
        [ours] = house.dead()
        others = [_letter_elsewhere(ours, number) for number in range(PARKED_AT_ONCE)]
        ours.delete()
        DeadLetter.objects.bulk_create([*others, ours])  # ours is the last

        DeadLetter.objects.update(request="requeue")
        house.settle(raise_errors=True)

        assert house.seen(name="vase") == [1]
        assert len(house.dead()) == PARKED_AT_ONCE

    def test_where_order_does_not_matter_a_dead_event_is_skipped(self, house: House) -> None:
        house.handler(
            call=lambda event: Mended("vase")(event) if event.number == 1 else None, attempts=1, on_dead="skip"
        )
        house.say(("vase", 1), ("vase", 2))
        house.settle()

        assert house.seen(name="vase") == [2]
        assert (len(house.dead()), house.parked()) == (1, [])

    def test_a_handler_that_is_too_early_waits_for_what_it_needs(self, house: House, bus_clock) -> None:
        early = Mended("vase", error=NotYet("the other topic is behind"))
        house.handler(call=early)
        house.say(("vase", 1), ("vase", 2))
        house.settle()
        early.names.clear()

        bus_clock.advance(minutes=10)
        house.settle()

        assert house.seen(name="vase") == [1, 2]

    def test_what_cannot_be_decoded_is_kept_byte_for_byte(self, house: House) -> None:
        house.handler()
        house.say(("vase", 1), ("chair", 1))
        raw = b'{"name":"vase","number":"\xff\x00 not a number'
        OutboxRow.objects.filter(key="vase").update(payload=raw)

        house.settle()

        [letter] = house.dead()
        assert bytes(letter.payload) == raw
        assert letter.error_class == "Undecodable"
        assert house.seen() == [("chair", 1)]
        assert house.parked() == ["vase"]

    def test_the_position_waits_when_the_dead_letter_cannot_be_written(self, house: House) -> None:
        house.handler(call=Mended("vase"), attempts=1)
        house.say(("vase", 1))
        before = house.position()

        with refusing_dead_letters(), pytest.raises(Exception, match="refused"):
            house.settle()
        assert house.position() == before

        house.restart()
        house.settle()
        assert len(house.dead()) == 1
        assert house.position() == before + 1

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


def _parked_numbers() -> list[Noted]:
    return [msgspec.json.decode(bytes(row.payload), type=Noted) for row in ParkedEvent.objects.order_by("position")]


def _elsewhere(number: int) -> dict[str, Any]:
    """What a row of this group has that lies in a partition of another worker."""
    return {"group": "house-a", "topic": "house", "partition": ELSEWHERE, "key": f"elsewhere {number}"}


def _letter_elsewhere(letter: DeadLetter, number: int) -> DeadLetter:
    return DeadLetter(
        **_elsewhere(number),
        **{name: getattr(letter, name) for name in ("type", "payload", "headers", "parks", "attempts", "error_class")},
        event_id=uuid7(),
        position=number,
        died_at=letter.died_at,
    )
