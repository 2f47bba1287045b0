"""Many events in a transaction, a broken world that is no event's failure, and what takes long."""

import threading
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack

import pytest
from django.db import InterfaceError, connection, transaction

from eventbus import Permanent, backends, clock, publish, registry, testing
from eventbus.consuming.batch import BATCH_SECONDS
from eventbus.errors import is_contention
from eventbus.failpoints import armed
from eventbus.failures.effects import CRASHES_MAX
from eventbus.models import ConsumerGroup, InboxRow, ParkedEvent, Progress, Timer
from eventbus.operations import group_status, pausing, standstill, status
from eventbus.operations.standstill import STANDS_SECONDS, Standing
from eventbus.progress import groups
from eventbus.registry import HANDLER_SECONDS
from eventbus.testing import Crash
from tests.eventbus.bus_app import House, Mended, Noted, Unknown
from tests.eventbus.database_obstacles import contention_at, locked_progress
from tests.waiting import until

# How many events a transaction holds: many, unless one must be told from the others.

NUMBERS = range(1, 5)
EVENTS_MAX = 200  # in a transaction
SECONDS_MAX = {"sqlite": 0.02, "postgresql": 1.0}  # that it lasts, but for the handler in hand


@pytest.mark.django_db(transaction=True)
class InBatches:
    """Promises 2 and 6. No faults here: it cuts batches as it likes."""

    @pytest.fixture(autouse=True)
    def time(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
        """How long a batch may take: long enough on a busy machine."""
        allowed = {connection.vendor: 60.0}
        monkeypatch.setattr("eventbus.consuming.batch.BATCH_SECONDS", allowed)
        return allowed

    def test_a_later_batch_is_one_transaction(self, house: House) -> None:
        assert len(offsets_seen(house)) == 1

    def test_a_batch_that_took_its_time_lets_others_write(self, house: House, time: dict[str, float]) -> None:
        time[connection.vendor] = 0.0

        assert len(offsets_seen(house)) == len(NUMBERS)

    def test_after_a_start_a_batch_is_one_transaction_and_written_down_before(self, house: House) -> None:
        with armed() as passed:
            assert len(offsets_seen(house, meanwhile=house.restart)) == 1

        assert passed.passes["handle.announce.committed"] == 1

    def test_after_a_death_in_such_a_batch_each_event_has_a_transaction_of_its_own(self, house: House) -> None:
        deaths: set[int] = set()

        def die() -> None:
            house.restart()
            deaths.add(NUMBERS[-1])

        assert len(offsets_seen(house, meanwhile=die, deaths=deaths)) == len(NUMBERS)

    def test_a_death_in_a_batch_is_blamed_on_none_of_its_events(self, house: House) -> None:
        deaths = [Crash] * CRASHES_MAX

        def die(event: Noted) -> None:
            if deaths:
                raise deaths.pop()

        house.handler(call=die)
        house.say(*(("vase", number) for number in NUMBERS))
        house.settle()

        assert (house.seen(name="vase"), house.dead()) == ([*NUMBERS], [])

    def test_a_batch_that_breaks_the_world_is_handled_one_by_one(self, house: House) -> None:
        offsets: dict[int, int] = {}

        def break_together(event: Noted) -> None:
            offsets[event.number] = house.offset()
            if event.number == NUMBERS[-1] and len(set(offsets.values())) == 1:
                raise InterfaceError("the connection was idle for too long")

        house.handler(call=break_together)
        house.say(*(("vase", number) for number in NUMBERS))
        house.relay()
        with house.working():
            until(lambda: house.seen(name="vase") == [*NUMBERS], "all are handled")

    def test_after_an_orderly_end_a_batch_is_one_transaction(self, house: House) -> None:
        def work_and_leave() -> None:
            house.restart()
            with house.working():
                house.say(("vase", NUMBERS[-1] + 1))
                house.relay()
                until(lambda: len(house.seen(name="vase")) == 2, "the second is handled")
            house.restart()

        with armed() as passed:
            assert len(offsets_seen(house, meanwhile=work_and_leave)) == 1

        assert passed.passes["handle.announce.committed"] == 0

    def test_who_leaves_before_the_first_batch_does_not_vouch_for_it(self, house: House) -> None:
        def come_and_go() -> None:
            house.restart()
            epochs = house_epochs()
            with house.working():
                until(lambda: all(now > before for now, before in zip(house_epochs(), epochs, strict=True)), "it owns")
            house.restart()

        with armed() as passed:
            offsets_seen(house, meanwhile=come_and_go)

        assert passed.passes["handle.announce.committed"] == 1

    def test_a_handler_that_asks_for_it_has_a_transaction_to_itself(self, house: House) -> None:
        house.handler()

        assert len(offsets_seen(house, batch=1)) == len(NUMBERS)

    def test_what_a_batch_did_not_come_to_is_counted_once(self, house: House, time: dict[str, float]) -> None:
        time[connection.vendor] = 0.0
        house.handler(call=Mended("cup", error=Permanent("broken")))
        house.say(("cup", 0), ("vase", 0))
        house.settle()
        with transaction.atomic():
            for number in NUMBERS:
                publish(Unknown(name="vase"))
                house.say(("vase", number), ("cup", number))

        house.settle()

        assert house.seen(name="vase") == [0, *NUMBERS]
        assert ParkedEvent.objects.filter(key="cup").count() == len(NUMBERS)
        assert sum(Progress.objects.filter(group="house-a").values_list("ignored", flat=True)) == len(NUMBERS)


@pytest.mark.django_db(transaction=True)
class BatchesEnd:
    """Promise 6, with the limits that a site has: a transaction that lasts keeps others waiting. No faults here."""

    @pytest.fixture
    def now(self, time: dict[str, float], monkeypatch: pytest.MonkeyPatch) -> list[float]:
        """What time it is for a batch, with the site's own limit: none passes unless a handler takes it."""
        now = [0.0]
        monkeypatch.setattr("eventbus.consuming.batch.BATCH_SECONDS", BATCH_SECONDS)  # every other case has longer
        monkeypatch.setattr("eventbus.clock.monotonic", lambda: now[0])
        return now

    @pytest.mark.usefixtures("now")
    def test_a_batch_of_quick_events_ends_after_two_hundred(self, house: House) -> None:
        sizes = batches_of(house, range(1, EVENTS_MAX + 2))

        assert 1 < max(sizes) <= EVENTS_MAX

    def test_a_batch_of_slow_events_ends_when_its_time_is_over(self, house: House, now: list[float]) -> None:
        def take_a_third() -> None:
            now[0] += 0.34 * SECONDS_MAX[connection.vendor]

        assert batches_of(house, range(1, 10), take_a_third) == [3, 3, 3]


def batches_of(house: House, numbers: range, work: Callable[[], None] = lambda: None) -> list[int]:
    """How many events each transaction held, of those with `numbers` of one key, after a first event."""
    offsets: dict[int, int] = {}

    def look(event: Noted) -> None:
        work()
        offsets[event.number] = house.offset()

    house.handler(call=look)
    house.say(("vase", 0))
    testing.settle()
    house.say(*(("vase", number) for number in numbers))
    testing.settle()
    assert house.seen(name="vase") == [0, *numbers]
    return [*Counter(offsets[number] for number in numbers).values()]


def house_epochs() -> list[int]:
    return list(Progress.objects.filter(group="house-a").order_by("id").values_list("epoch", flat=True))


def died_in_a_batch(house: House) -> None:
    """What a process leaves behind that dies while it handles many at once, right after it took over."""
    Progress.objects.update(running_event=None, crashes=1)
    house.restart()


def offsets_seen(
    house: House, meanwhile: Callable[[], None] = lambda: None, deaths: set[int] | None = None, **policy: int
) -> set[int]:
    """The group's offsets while it handled `NUMBERS` of one key, after a first event. It dies once at `deaths`."""
    seen: dict[int, int] = {}

    def look(event: Noted) -> None:
        if deaths and event.number in deaths:
            deaths.clear()
            raise Crash
        seen[event.number] = house.offset()

    house.handler(call=look, **policy)
    house.say(("vase", 0))
    testing.settle()
    meanwhile()
    house.say(*(("vase", number) for number in NUMBERS))
    testing.settle()
    return {seen[number] for number in NUMBERS}


# Promises 6 and 7: a broken world is not a poison event, and a deploy is no drama.

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


# Everything that is not parked moves: a call has its time, and a group that stands is named.

OTHERS = [(f"chair {number}", 1) for number in range(5)]
LONG = HANDLER_SECONDS + 1


def take(seconds: float) -> None:
    """So long, by the bus's clock."""
    clock.advance(seconds=seconds)


@pytest.mark.django_db(transaction=True)
class NothingTakesForEver:
    """Promise 3: what is told is handled, and soon."""

    @pytest.fixture(autouse=True)
    def _hasty(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A worker that waits long for nothing."""
        monkeypatch.setattr("eventbus.consuming.worker.OUTAGE_PAUSE_SECONDS", (0.01, 0.02))

    def test_an_event_whose_handler_takes_longer_than_it_says_is_set_aside(self, house: House, bus_clock) -> None:
        house.handler(call=lambda event: take(LONG) if event.name == "vase" else None, attempts=1)
        house.say(("vase", 1), *OTHERS)
        house.relay()

        with house.working():
            until(lambda: house.dead() and len(house.seen()) == len(OTHERS), "all others handled, and it set aside")

        assert sorted(house.seen()) == OTHERS  # what it wrote itself is rolled back
        assert [letter.error_class for letter in house.dead()] == ["HandlerTimeout"]

    def test_a_handler_may_take_as_long_as_it_says(self, house: House, bus_clock) -> None:
        house.handler(call=lambda event: take(LONG), seconds=LONG + 1, attempts=1)
        house.say(("vase", 1))

        house.settle(raise_errors=True)

        assert house.seen() == [("vase", 1)]

    def test_an_effect_that_took_long_is_recorded_all_the_same(self, house: House, bus_clock) -> None:
        asked: list[int] = []

        def ask(event: Noted, **named: str) -> None:
            asked.append(event.number)
            take(LONG)

        house.effect("post", ask, record=house.recording("post"), on_unknown_outcome="never", attempts=1)
        house.say(("vase", 1))

        house.settle(raise_errors=True)

        assert (asked, house.seen("post")) == ([1], [("vase", 1)])

    def test_a_group_that_does_not_move_is_named_with_how_long_it_has_stood(self, house: House, bus_clock) -> None:
        house.handler()
        house.say(("vase", 1))
        house.relay()
        take(STANDS_SECONDS)
        assert self._standing() == []

        take(1)

        [found] = self._standing()
        assert (found.group, found.topic, found.seconds) == ("house-a", Noted.topic, STANDS_SECONDS + 1)
        house.settle()
        assert self._standing() == []

    def test_a_group_that_moves_is_not_named_however_long_what_comes_next_has_waited(
        self, house: House, bus_clock
    ) -> None:
        house.handler(batch=1)
        house.say(("vase", 1), ("vase", 2))
        house.relay()
        take(2 * STANDS_SECONDS)
        assert len(self._standing()) == 1

        house.step(house.worker())

        assert house.seen() == [("vase", 1)]
        assert self._standing() == []

    def test_a_new_group_that_begins_with_old_events_is_not_named_for_their_age(self, house: House, bus_clock) -> None:
        house.handler("house-b")
        house.say(("vase", 1))
        house.settle()
        take(2 * STANDS_SECONDS)

        house.handler("house-a", start="earliest")

        assert self._standing() == []

    def test_a_group_that_was_told_to_stand_is_not_named_for_it(self, house: House, bus_clock) -> None:
        house.handler()
        house.say(("vase", 1))
        house.relay()
        pausing.pause(ConsumerGroup.objects.get(name="house-a"), "ada")

        take(2 * STANDS_SECONDS)

        assert self._standing() == []

    def test_who_may_take_longer_may_stand_for_longer(self, house: House, bus_clock) -> None:
        house.handler(seconds=10 * STANDS_SECONDS)
        house.say(("vase", 1))
        house.relay()

        take(19 * STANDS_SECONDS)
        assert self._standing() == []
        take(2 * STANDS_SECONDS)
        assert len(self._standing()) == 1

    def test_timers_that_nobody_publishes_are_told_of(self, house: House, bus_clock) -> None:
        due = {"event_id": "0" * 32, "topic": Noted.topic, "type": "t", "key": "k", "payload": b"", "headers": "{}"}
        Timer.objects.create(**due, due=clock.now())
        assert self._overdue() == []

        take(2 * STANDS_SECONDS)

        assert self._overdue() == ["Timers that are over 60 s late: 1. Nobody relays, or the relay cannot."]

    def _standing(self) -> list[Standing]:
        return standstill.standing(group_status.progress(), ConsumerGroup.objects.all())

    def _overdue(self) -> list[str]:
        return [str(one) for one in status.problems(status.status(), dispatches=True) if one.kind == "timers"]
