"""Promise 8: every event lies in exactly one place, and what is written in two places agrees."""

import contextlib
from datetime import timedelta

import pytest
from django.db import transaction

from eventbus import Permanent, clock, handles, publish
from eventbus.audit import delivery_audit
from eventbus.models import DeadLetter, InboxRow, OutboxRow
from eventbus.processes.dispatcher import Dispatcher
from tests.eventbus.bus_app import House, Mended, Noted, Unknown
from tests.eventbus.busy_site import (
    TRANSACTIONS,
    WRITERS,
    Meanwhile,
    account,
    decide_about_the_dead,
    noise,
    places,
    threads,
    writer,
)

READS_MIN, CROSSED_MIN = (
    30,
    3,
)  # audits; and how many of them while something was handled


@pytest.mark.django_db(transaction=True)
class OnePlaceEach:
    """Promise 8."""

    def test_each_event_is_counted_in_its_place(self, house: House) -> None:
        broken = Mended("vase", error=Permanent("poison"))
        house.handler("house-a", broken)
        house.handler("house-b", broken, on_dead="skip")
        with transaction.atomic():
            publish(Unknown(name="chair"))
        house.say(("chair", 1), ("vase", 1), ("vase", 2), ("bowl", 1))
        house.settle()

        assert places() == {"handled": 2, "ignored": 1, "dead": 1, "parked": 1}
        assert places("house-b") == {"handled": 2, "ignored": 1, "skipped": 2}

    def test_what_waits_for_its_turn_is_pending_before_and_after_the_relay(self, house: House) -> None:
        house.handler()
        house.say(("chair", 1))
        house.settle()
        house.say(("chair", 2), ("vase", 2))
        assert places() == {"handled": 1, "pending": 2}

        house.relay()

        assert places() == {"handled": 1, "pending": 2}

    def test_a_timer_counts_once_it_is_due(self, house: House, bus_clock) -> None:
        house.handler()
        with transaction.atomic():
            publish(Noted(name="vase", number=1), due=clock.now() + timedelta(hours=1))
        assert places() == {}

        bus_clock.advance(hours=1)
        house.settle()

        assert places() == {"handled": 1}

    def test_what_the_log_rejected_is_counted_apart(self, house: House) -> None:
        house.handler()
        house.say(("vase", 1), ("chair", 1))
        OutboxRow.objects.filter(key="vase").update(rejected="too large")
        house.settle()

        assert places() == {"handled": 1}
        assert delivery_audit.read().rejected == {"house": 1}

    def test_what_was_said_before_a_group_began_is_not_its_own(self, house: House) -> None:
        house.handler("house-a")
        house.say(("vase", 1))
        house.settle()

        house.handler("house-b")
        house.say(("vase", 2))
        house.restart()
        house.settle()

        assert (places("house-a"), places("house-b")) == ({"handled": 2}, {"handled": 1})

    def test_an_event_that_fails_moves_from_place_to_place_and_lies_in_one(self, house: House, bus_clock) -> None:
        broken = Mended("vase")
        house.handler(call=broken, attempts=2)
        house.say(("vase", 1), ("vase", 2))
        house.settle()
        assert places() == {"parked": 2}

        bus_clock.advance(hours=1)
        house.settle()
        assert places() == {"dead": 1, "parked": 1}

        DeadLetter.objects.update(request="requeue")
        assert places() == {"dead": 1, "parked": 1}
        broken.names.clear()
        house.settle()
        assert places() == {"handled": 2}

    def test_what_is_discarded_is_not_handled_too(self, house: House) -> None:
        house.handler(call=Mended("vase", error=Permanent("poison")))
        house.say(("vase", 1), ("chair", 1))
        house.settle()

        DeadLetter.objects.update(request="discard")
        house.settle()

        assert places() == {"handled": 1, "discarded": 1}

    @pytest.mark.misfits
    def test_what_cannot_be_decoded_is_among_the_dead_and_told(self, house: House) -> None:
        house.handler(call=Mended("chair", error=Permanent("poison")))
        house.say(("vase", 1), ("chair", 1))
        OutboxRow.objects.filter(key="vase").update(payload=b"\xff")
        house.settle()

        assert places() == {"dead": 2}
        assert account().undecodable == 1

    def test_a_replay_counts_nothing_twice(self, house: House) -> None:
        house.handler()
        house.say(("vase", 1))
        house.settle()
        row = InboxRow.objects.get()
        row.pk, row.replay = None, 7
        row.save()

        assert places() == {"handled": 1}
        assert delivery_audit.read().replayed == {"house-a": 1}

    def test_a_release_that_learns_a_type_once_ignored_has_lost_nothing(self, house: House) -> None:
        house.handler()
        with transaction.atomic():
            publish(Unknown(name="chair"))
        house.settle()

        handles(Unknown, group="house-a")(lambda event: None)
        house.restart()
        house.settle()

        assert places() == {"ignored": 1}

    def test_it_balances_while_the_site_is_busy(self, house: House) -> None:
        meanwhile = Meanwhile(noise(house))
        reads = 0
        with (
            contextlib.closing(Dispatcher.start_in_process()),
            threads(*map(writer, range(WRITERS)), decide_about_the_dead) as busy,
        ):
            while busy() or not meanwhile.is_over() or reads < READS_MIN:
                with meanwhile.reading():
                    found = delivery_audit.read()
                assert delivery_audit.problems(found) == []
                reads += 1
        house.settle()
        assert delivery_audit.problems(delivery_audit.read()) == []
        assert meanwhile.crossed >= CROSSED_MIN

        mine = account()
        assert mine.pending == 0
        assert mine.published == WRITERS * TRANSACTIONS * 4 + WRITERS * TRANSACTIONS // 5
        assert mine.ignored == WRITERS * TRANSACTIONS
        assert mine.handled >= WRITERS * TRANSACTIONS * 2
