"""Promises 6 and 7: a broken world is not a poison event, and a deploy is no drama."""

import threading
from contextlib import ExitStack

import pytest
from django.db import InterfaceError, connection

from eventbus import backends, registry
from eventbus.errors import is_contention
from eventbus.failpoints import armed
from eventbus.failures.effects import CRASHES_MAX
from eventbus.models import InboxRow, Progress
from eventbus.progress import groups
from eventbus.testing import Crash
from tests.eventbus.bus_app import House, Mended, Noted
from tests.eventbus.contract_batches import died_in_a_batch
from tests.eventbus.database_obstacles import contention_at, locked_progress
from tests.waiting import until

# How a database says that two writers met: serialization failure, deadlock, lock not available; SQLite has one word.
MEETINGS = ["40001", "40P01", "55P03"]  # as PostgreSQL says it; SQLite has one word for all


@pytest.mark.django_db(transaction=True)
class ABrokenWorldIsNotAPoisonEvent:
    """Promise 6."""

    @pytest.fixture
    def hasty(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A worker that does not wait long for the world."""
        monkeypatch.setattr("eventbus.consuming.worker.OUTAGE_PAUSE_SECONDS", (0.01, 0.02))

    def test_a_database_locked_for_longer_than_its_timeout_counts_no_attempt(self, house: House, monkeypatch) -> None:
        met: list[BaseException] = []

        def noting(error: BaseException) -> bool:
            if is_contention(error):
                met.append(error)
            return is_contention(error)

        monkeypatch.setattr("eventbus.database.contention.is_contention", noting)
        house.handler(attempts=1)
        stop = threading.Event()
        worker = house.worker(stop=stop)
        worker.step()  # its partitions are its own before the lock
        house.say(("vase", 1))
        house.relay()

        with ExitStack() as at_work:
            with locked_progress():
                at_work.enter_context(house.working(worker=worker, stop=stop))
                until(lambda: len(met) > 1, "it tried for longer than a timeout")
                assert house.seen() == []
            until(house.seen, "the event handled once the lock was gone")

        assert house.seen() == [("vase", 1)]
        assert (house.parked(), house.dead()) == ([], [])

    @pytest.mark.parametrize("statement", ["INSERT INTO house_seen", "INSERT INTO eventbus_inbox"])
    @pytest.mark.parametrize("state", MEETINGS)
    def test_a_first_attempt_that_meets_another_writer_is_no_failure(
        self, house: House, statement: str, state: str
    ) -> None:
        house.handler(attempts=1)
        house.say(("vase", 1))

        with contention_at(statement, state):
            house.settle(raise_errors=True)

        assert (house.seen(), house.parked(), house.dead()) == ([("vase", 1)], [], [])

    @pytest.mark.parametrize("question", ["partitions", "ends"])
    def test_who_asks_the_log_where_a_group_begins_holds_up_no_writer(
        self, house: House, question: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        backend, locked = backends.current(), []
        ask = getattr(backend, question)

        def slow(*words: object) -> object:
            locked.append(connection.in_atomic_block)  # brokers that are away would be waited for now
            return ask(*words)

        monkeypatch.setattr(backend, question, slow)

        house.handler()

        assert locked
        assert True not in locked

    def test_a_database_that_goes_away_counts_no_attempt(self, house: House, hasty: None) -> None:
        away = Mended("vase", error=InterfaceError("connection already closed"))
        house.handler(call=away, attempts=1)
        house.say(("vase", 1), ("vase", 2))
        house.relay()

        with house.working():
            until(lambda: away.calls >= CRASHES_MAX + 2, "it tried more often than an event may crash")
            away.names.clear()
            until(lambda: len(house.seen()) == 2, "both handled once the database was back")

        assert house.seen(name="vase") == [1, 2]
        assert (house.parked(), house.dead()) == ([], [])

    def test_a_database_that_goes_away_in_a_retry_counts_no_attempt(self, house: House, hasty: None, bus_clock) -> None:
        broken = Mended("vase")
        house.handler(call=broken, attempts=2)
        house.say(("vase", 1))
        house.settle()
        broken.error, broken.calls = InterfaceError("connection already closed"), 0

        bus_clock.advance(hours=1)
        with house.working():
            until(lambda: broken.calls >= CRASHES_MAX + 2, "it tried more often than an event may crash")
            broken.names.clear()
            until(house.seen, "handled once the database was back")

        assert (house.seen(), house.parked(), house.dead()) == ([("vase", 1)], [], [])

    def test_leaving_while_the_database_is_away_is_no_death(self, house: House) -> None:
        stops: list[threading.Event] = []

        def ask_to_leave_and_break(event: Noted) -> None:
            if stops:
                stops[-1].set()
                raise InterfaceError("connection already closed")

        house.handler(call=ask_to_leave_and_break)
        house.say(("vase", 1))
        house.relay()
        for _ in range(CRASHES_MAX + 1):
            stops.append(threading.Event())
            with house.working(stop=stops[-1]):
                until(stops[-1].is_set, "the event is tried")

        stops.clear()
        house.settle()

        assert (house.seen(), house.dead()) == ([("vase", 1)], [])

    @pytest.mark.parametrize("on_unknown_outcome", ["retry", "never"])
    def test_an_answer_in_hand_survives_a_database_that_goes_away(
        self, house: House, hasty: None, on_unknown_outcome: str
    ) -> None:
        sent, away = [], [True, True]

        def record(event: Noted, answer: int) -> None:
            if away:
                away.pop()
                raise InterfaceError("connection already closed")
            house.write("post", event)

        def send(event: Noted, **named: str) -> None:
            sent.append(event.number)

        house.effect("post", send, record=record, on_unknown_outcome=on_unknown_outcome)
        house.say(("vase", 1))
        house.relay()
        with house.working("post"):
            until(lambda: house.seen("post"), "the answer recorded")

        assert sent == [1]
        assert house.dead("post") == []

    def test_an_event_that_kills_the_process_three_times_is_set_aside(self, house: House) -> None:
        house.handler()
        [event_id] = house.say(("vase", 1))
        house.relay()

        for deaths, expected in ((1, [("vase", 1)]), (3, [])):
            InboxRow.objects.all().delete()
            self._as_if_it_died(event_id, deaths)
            house.settle()
            assert house.seen() == expected
            with connection.cursor() as cursor:
                cursor.execute("DELETE FROM house_seen")

        assert [letter.error_class for letter in house.dead()] == ["CrashedRepeatedly"]

    def test_only_the_event_that_kills_is_set_aside(self, house: House) -> None:
        def kill(event: Noted) -> None:
            if event.number == 2:
                raise Crash

        house.handler(call=kill)
        house.say(("vase", 1), ("vase", 2), ("vase", 3), ("chair", 1))

        house.settle()

        assert (house.seen(name="vase"), house.seen(name="chair")) == ([1], [1])
        assert [letter.error_class for letter in house.dead()] == ["CrashedRepeatedly"]
        assert house.parked() == ["vase"]

    def test_a_world_that_breaks_before_anything_is_begun_forgets_no_death(self, house: House, hasty: None) -> None:
        house.handler()
        [deadly] = house.say(("vase", 1))
        house.relay()
        Progress.objects.filter(group="house-a").update(running_event=deadly, crashes=CRASHES_MAX - 1)

        with armed("fetched=break") as plan, house.working():
            until(lambda: house.dead() or house.seen(), "it is set aside")

        assert plan.fired("fetched")
        assert house.seen() == []
        assert [letter.error_class for letter in house.dead()] == ["CrashedRepeatedly"]

    def test_an_event_that_outlives_two_deaths_is_handled(self, house: House) -> None:
        deaths = [Crash, Crash]

        def die_twice(event: Noted) -> None:
            if deaths:
                raise deaths.pop()

        house.handler(call=die_twice, attempts=1)
        house.say(("vase", 1))

        house.settle()

        assert (house.seen(), house.dead()) == ([("vase", 1)], [])

    def test_a_retry_that_kills_the_process_three_times_is_set_aside(self, house: House, bus_clock) -> None:
        deaths: list[type[BaseException]] = [ValueError]

        def fail_once_then_kill(event: Noted) -> None:
            raise deaths.pop() if deaths else Crash

        house.handler(call=fail_once_then_kill)
        house.say(("vase", 1))
        house.settle()
        bus_clock.advance(hours=1)

        house.settle()

        assert [letter.error_class for letter in house.dead()] == ["CrashedRepeatedly"]

    def test_deaths_before_its_turn_are_not_blamed_on_an_event(self, house: House) -> None:
        house.handler()
        [event_id] = house.say(("vase", 1))
        house.relay()
        self._as_if_it_died(event_id, 1)

        for _process in range(CRASHES_MAX):
            group = registry.groups["house-a"]
            groups.take_over(group, backends.current().partitions(group.topics), lambda: None, interrupted={})
        house.settle()

        assert house.seen() == [("vase", 1)]

    def _as_if_it_died(self, event_id, deaths: int) -> None:
        Progress.objects.filter(group="house-a").update(offset=0, running_event=event_id, crashes=deaths - 1)
        House().restart()


@pytest.mark.django_db(transaction=True)
class DeploysWithoutDrama:
    """Promise 7."""

    def test_a_worker_asked_to_leave_finishes_what_is_in_hand_and_no_more(self, house: House) -> None:
        in_hand, finish = threading.Event(), threading.Event()

        def slowly(event: Noted) -> None:
            in_hand.set()
            assert finish.wait(10)

        house.handler(call=slowly)
        house.say(*(("vase", number) for number in range(5)))
        house.relay()
        died_in_a_batch(house)
        with house.working() as stop:
            assert in_hand.wait(10)
            stop.set()
            finish.set()

        assert house.seen(name="vase") == [0]
        house.settle()
        assert house.seen(name="vase") == [0, 1, 2, 3, 4]

    def test_a_worker_asked_to_leave_tries_no_further_event_of_a_parked_key(self, house: House, bus_clock) -> None:
        stop, broken = threading.Event(), Mended("vase")

        def ask_to_leave(event: Noted) -> None:
            broken(event)
            stop.set()

        house.handler(call=ask_to_leave)
        house.say(*(("vase", number) for number in range(3)))
        house.settle()
        broken.names.clear()
        bus_clock.advance(hours=1)

        house.step(house.worker(stop=stop))

        assert house.seen(name="vase") == [0]
