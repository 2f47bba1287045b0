"""Promise 1: nothing is lost, nothing is invented."""

import threading
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from eventbus import publish, watches
from eventbus.errors import EventTooLarge, PublishOutsideTransaction
from eventbus.events import EVENT_BYTES_MAX
from eventbus.models import OutboxRow, Progress, Timer
from tests.eventbus.house import House, Noted, Unknown, until


@pytest.mark.django_db(transaction=True)
class NothingLostNothingInvented:
    """Promise 1."""

    def test_what_is_committed_is_heard_by_every_group(self, house: House) -> None:
        house.handler("house-a")
        house.handler("house-b")

        house.say(("vase", 1), ("chair", 2))
        house.settle()

        assert sorted(house.seen("house-a")) == sorted(house.seen("house-b")) == [("chair", 2), ("vase", 1)]

    def test_what_is_rolled_back_is_never_heard_of(self, house: House) -> None:
        house.handler()

        with pytest.raises(IntegrityError), transaction.atomic():
            publish(Noted(name="vase", number=1))
            raise IntegrityError("the row beside it was refused")
        house.settle()

        assert house.seen() == []
        assert not OutboxRow.objects.filter(type=Noted.wire_type()).exists()

    def test_a_savepoint_that_is_rolled_back_takes_its_events_along(self, house: House) -> None:
        house.handler()

        with transaction.atomic():
            publish(Noted(name="vase", number=1))
            with pytest.raises(IntegrityError), transaction.atomic():
                publish(Noted(name="vase", number=2))
                raise IntegrityError
        house.settle()

        assert house.seen(name="vase") == [1]

    def test_publishing_outside_a_transaction_is_refused(self, house: House) -> None:
        with pytest.raises(PublishOutsideTransaction, match="atomic"):
            publish(Noted(name="vase", number=1))

    def test_many_events_are_one_statement(self, house: House) -> None:
        with transaction.atomic(), CaptureQueriesContext(connection) as queries:
            publish(*(Noted(name=f"n{number}", number=number) for number in range(300)))

        assert len(queries) == 1

    def test_an_event_that_is_too_large_is_refused(self, house: House) -> None:
        with pytest.raises(EventTooLarge), transaction.atomic():
            publish(Noted(name="x" * EVENT_BYTES_MAX, number=1))

    def test_a_text_that_not_every_database_keeps_is_refused(self, house: House) -> None:
        with pytest.raises(ValueError, match="U\\+0000"), transaction.atomic():
            publish(Noted(name="a\0b", number=1))

    def test_a_process_that_dies_after_appending_loses_nothing(self, house: House) -> None:
        house.handler()
        house.say(("vase", 1))
        house.relay()

        house.restart()
        house.say(("vase", 2))
        house.settle()

        assert house.seen(name="vase") == [1, 2]

    def test_a_delayed_event_is_heard_at_its_time_and_not_before(self, house: House, bus_clock) -> None:
        house.handler()
        with transaction.atomic():
            publish(Noted(name="vase", number=1), due=bus_clock.now() + timedelta(minutes=10))
        house.settle()
        assert house.seen() == []

        bus_clock.advance(minutes=11)
        house.settle()

        assert house.seen(name="vase") == [1]

    def test_a_later_event_waits_for_its_own_time_when_another_is_due(self, house: House, bus_clock) -> None:
        house.handler()
        with transaction.atomic():
            for number, minutes in ((2, 20), (1, 10)):
                publish(Noted(name="vase", number=number), due=bus_clock.now() + timedelta(minutes=minutes))

        bus_clock.advance(minutes=11)
        house.settle()
        assert house.seen(name="vase") == [1]
        assert Timer.objects.count() == 1

        bus_clock.advance(minutes=10)
        house.settle()

        assert house.seen(name="vase") == [1, 2]
        assert not Timer.objects.exists()

    def test_a_relay_writes_nothing_while_timers_only_wait(self, house: House, bus_clock) -> None:
        with transaction.atomic():
            publish(Noted(name="vase", number=1), due=bus_clock.now() + timedelta(minutes=10))

        with CaptureQueriesContext(connection) as queries:
            house.relay()

        assert {query["sql"].split()[0] for query in queries} == {"SELECT"}

    def test_a_delayed_event_of_a_rolled_back_transaction_never_comes(self, house: House, bus_clock) -> None:
        house.handler()
        with pytest.raises(IntegrityError), transaction.atomic():
            publish(Noted(name="vase", number=1), due=bus_clock.now())
            raise IntegrityError

        bus_clock.advance(minutes=1)
        house.settle()

        assert house.seen() == []

    def test_a_new_group_begins_at_the_end(self, house: House) -> None:
        house.handler("house-a")
        house.say(("vase", 1))
        house.settle()

        house.handler("house-b")
        house.restart()
        house.say(("vase", 2))
        house.settle()

        assert house.seen("house-a", "vase") == [1, 2]
        assert house.seen("house-b", "vase") == [2]

    def test_what_a_group_does_not_know_is_counted_not_dead(self, house: House) -> None:
        house.handler()
        with transaction.atomic():
            publish(Unknown(name="vase"), Noted(name="vase", number=1))

        house.settle()

        assert house.seen(name="vase") == [1]
        assert sum(Progress.objects.filter(group="house-a").values_list("ignored", flat=True)) == 1
        assert house.dead() == []

    def test_a_watch_hears_what_comes_after_it_and_nothing_rolled_back(self, house: House) -> None:
        house.say(("vase", 1))
        house.relay()
        heard: list[Noted] = []
        watch = watches(Noted, call=heard.extend)
        try:
            with pytest.raises(IntegrityError), transaction.atomic():
                publish(Noted(name="vase", number=2))
                raise IntegrityError
            house.say(("vase", 3), ("vase", 4))
            house.relay()

            until(lambda: len(heard) == 2, "two events heard")
        finally:
            watch.close()

        assert [event.number for event in heard] == [3, 4]

    def test_a_watch_that_stumbles_is_told_to_load_again_and_goes_on(self, house: House) -> None:
        heard, resets = [], []

        def stumble_once(events: list[Noted]) -> None:
            if not resets:
                raise ValueError("stumbled")
            heard.extend(events)

        watch = watches(Noted, call=stumble_once, reset=lambda: resets.append(1))
        try:
            house.say(("vase", 1))
            house.relay()
            until(lambda: resets, "a reset")
            house.say(("vase", 2))
            house.relay()
            until(lambda: heard, "an event after the reset")
        finally:
            watch.close()

        assert heard[-1].number == 2

    def test_a_watch_that_cannot_load_tries_until_it_has_and_then_goes_on(self, house: House, monkeypatch) -> None:
        monkeypatch.setattr("eventbus.watching.BROKEN_SECONDS", 0.01)
        told: list[object] = []
        failures: list[str] = []
        away = threading.Event()
        away.set()

        def call(events: list[Noted]) -> None:
            if not failures:
                failures.append("call")
                raise ValueError("stumbled")
            told.extend(event.number for event in events)

        def load() -> None:
            if away.is_set():
                failures.append("load")
                raise ValueError("the database is away")
            told.append("loaded")

        watch = watches(Noted, call=call, reset=load)
        try:
            house.say(("vase", 1))
            house.relay()
            until(lambda: len(failures) > 2, "loading failed twice")
            house.say(("vase", 2))
            house.relay()
            away.clear()
            until(lambda: 2 in told, "what was published meanwhile")
        finally:
            watch.close()

        assert told == ["loaded", 2]
