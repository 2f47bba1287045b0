"""Promise 1, for those who only watch: nothing is lost between the watch and what is loaded after it."""

import threading

import pytest
from django.db import IntegrityError, transaction

from eventbus import backends, publish, watches
from eventbus.consuming.watching import Watch
from eventbus.models import OutboxRow
from tests.eventbus.bus_app import House, Noted
from tests.waiting import until


@pytest.mark.django_db(transaction=True)
class WatchedFromNowOn:
    """Promise 1."""

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
        monkeypatch.setattr("eventbus.consuming.watching.BROKEN_SECONDS", 0.01)
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
            failed = len(failures)
            until(lambda: len(failures) > failed + 1, "loading failed again")
            away.clear()
            until(lambda: 2 in told, "what was published meanwhile")
        finally:
            watch.close()

        assert told == ["loaded", 2]

    def test_what_is_told_before_a_watchs_thread_has_begun_is_heard(self, house: House, monkeypatch) -> None:
        begin, run = threading.Event(), Watch._run

        def run_late(watch: Watch) -> None:
            begin.wait(10)
            run(watch)

        monkeypatch.setattr(Watch, "_run", run_late)
        heard: list[Noted] = []
        watch = watches(Noted, call=heard.extend)
        try:
            house.say(("vase", 1))
            house.relay()
            begin.set()
            until(lambda: heard, "what was told since")
        finally:
            begin.set()
            watch.close()

    def test_a_watch_hears_each_key_in_order_and_many_events_at_once(self, house: House) -> None:
        batches: list[list[Noted]] = []
        watch = watches(Noted, call=batches.append)
        try:
            house.say(*((name, number) for number in range(20) for name in ("vase", "chair")))
            house.relay()
            until(lambda: sum(map(len, batches)) == 40, "all heard")
        finally:
            watch.close()

        heard = [event for events in batches for event in events]
        for name in ("vase", "chair"):
            assert [event.number for event in heard if event.name == name] == list(range(20))
        assert len(batches) <= 10

    @pytest.mark.misfits
    def test_a_watch_leaves_out_what_it_cannot_read(self, house: House) -> None:
        heard: list[Noted] = []
        resets: list[int] = []
        house.say(("vase", 1), ("vase", 2))
        OutboxRow.objects.filter(payload=b'{"name":"vase","number":1}').update(payload=b"\xff")
        watch = watches(Noted, call=heard.extend, reset=lambda: resets.append(1))
        try:
            house.relay()
            until(lambda: heard, "the one that can be read")
        finally:
            watch.close()

        assert ([event.number for event in heard], resets) == ([2], [])

    def test_a_watch_that_was_closed_hears_no_more(self, house: House) -> None:
        closed: list[int] = []
        going_on: list[int] = []
        first = watches(Noted, call=lambda events: closed.extend(event.number for event in events))
        second = watches(Noted, call=lambda events: going_on.extend(event.number for event in events))
        try:
            first.close()
            for number in (1, 2):
                house.say(("vase", number))
                house.relay()
                until(lambda number=number: number in going_on, "the other one hears it")
        finally:
            second.close()

        assert closed == []

    def test_a_watch_in_another_process_hears_what_this_one_appends(self, house: House) -> None:
        heard: list[Noted] = []
        theirs = backends.current()
        watch = watches(Noted, call=heard.extend)
        try:
            backends.use(house.another_backend())
            for number in range(1, 4):
                house.say(("vase", number))
                house.relay()
                until(lambda number=number: len(heard) == number, "what was appended elsewhere")
        finally:
            watch.close()
            backends.use(theirs)

        assert [event.number for event in heard] == [1, 2, 3]
