"""Promise 4: what fails for good is kept with all one needs, until an operator decides."""

import pytest
from django.db import transaction

from eventbus import Permanent, handles, publish
from eventbus.consuming.due_work import PARKED_AT_ONCE
from eventbus.database.storable_text import ERROR_CHARACTERS_MAX
from eventbus.ids import uuid7
from eventbus.models import DeadLetter, OutboxRow, ParkedKey, Progress
from eventbus.operations import status
from tests.eventbus.bus_app import House, Mended, Noted, Unknown, elsewhere
from tests.eventbus.database_obstacles import contention_at, refusing_dead_letters


@pytest.mark.django_db(transaction=True)
class KeptForOperators:
    """Promise 4."""

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

    def test_a_long_error_keeps_its_ends(self, house: House) -> None:
        house.handler(call=Mended("vase", error=Permanent(f"first {'x' * 10 * ERROR_CHARACTERS_MAX} last")))
        house.say(("vase", 1))

        house.settle()

        [letter] = house.dead()
        assert len(letter.error) <= ERROR_CHARACTERS_MAX
        assert (letter.error[:5], letter.error[-4:]) == ("first", "last")

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
        assert house.waiting() == [2]

    @pytest.mark.misfits
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

    def test_the_offset_waits_when_the_dead_letter_cannot_be_written(self, house: House) -> None:
        house.handler(call=Mended("vase"), attempts=1)
        house.say(("vase", 1))
        before = house.offset()

        with refusing_dead_letters(), pytest.raises(Exception, match="refused"):
            house.settle()
        assert house.offset() == before

        house.restart()
        house.settle()
        assert len(house.dead()) == 1
        assert house.offset() == before + 1

    def test_where_the_error_cannot_be_written_the_dead_letter_is_written_without(self, house: House) -> None:
        house.handler(call=Mended("vase"), attempts=1)
        house.say(("vase", 1))

        with refusing_dead_letters(that="NEW.error <> ''"):
            house.settle()

        [letter] = house.dead()
        assert (letter.error_class, letter.error) == ("ValueError", "")
        assert bytes(letter.payload) == b'{"name":"vase","number":1}'

    def test_an_operators_wish_waits_for_the_worker(self, house: House) -> None:
        broken = Mended("vase", error=Permanent("poison"))
        house.handler(call=broken)
        house.say(("vase", 1))
        house.settle()
        broken.names.clear()

        status.request_requeue(house.dead()[0], "ada")
        assert (house.seen(), house.parked(), len(house.dead())) == ([], ["vase"], 1)

        house.settle()
        assert (house.seen(), house.parked(), house.dead()) == ([("vase", 1)], [], [])

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

    @pytest.mark.parametrize("action", ["discard", "requeue"])
    def test_what_stood_aside_frees_no_key_that_waits_for_another(self, house: House, action: str) -> None:
        house.handler(call=Mended("vase", error=Permanent("poison")))
        aside = Mended("vase", error=Permanent("poison"))
        handles(Unknown, group="house-a", on_dead="skip")(aside)
        with transaction.atomic():
            publish(Unknown(name="vase"), Noted(name="vase", number=1), Noted(name="vase", number=2))
        house.settle()
        aside.names.clear()

        DeadLetter.objects.filter(parks=False).update(request=action)
        house.settle()

        assert ParkedKey.objects.get().state == ParkedKey.State.DEAD
        assert len([letter for letter in house.dead() if letter.parks]) == 1

    def test_requests_for_others_partitions_keep_none_of_ours_waiting(self, house: House, bus_clock) -> None:
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


def _letter_elsewhere(letter: DeadLetter, number: int) -> DeadLetter:
    return DeadLetter(
        **elsewhere(number),
        **{name: getattr(letter, name) for name in ("type", "payload", "headers", "parks", "attempts", "error_class")},
        event_id=uuid7(),
        offset=number,
        died_at=letter.died_at,
    )
