"""How many events a transaction holds: many, unless one must be told from the others."""

import threading
from collections import Counter
from collections.abc import Callable

import pytest
from django.db import InterfaceError, connection, transaction

from eventbus import Permanent, backends, publish, registry, testing
from eventbus.consuming.batch import BATCH_SECONDS
from eventbus.consuming.worker import Worker
from eventbus.errors import LogUnavailable
from eventbus.failpoints import armed
from eventbus.failures.effects import CRASHES_MAX
from eventbus.models import ParkedEvent, Progress
from eventbus.testing import Crash
from tests.eventbus.bus_app import House, Mended, Noted, Unknown
from tests.waiting import until

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

    def test_a_world_that_breaks_before_anything_is_owned_erases_no_death(self, house: House) -> None:
        offsets: list[int] = []
        broken = [LogUnavailable("not now")]

        def fence() -> None:
            if broken:
                raise broken.pop()

        house.handler(call=lambda event: offsets.append(house.offset()))
        house.say(*(("vase", number) for number in NUMBERS))
        house.relay()
        died_in_a_batch(house)
        stop = threading.Event()
        worker = Worker(registry.groups["house-a"], backends.current(), stop, fence)
        with house.working(worker=worker, stop=stop):
            until(lambda: house.seen(name="vase") == [*NUMBERS], "all are handled")

        assert broken == []
        assert len(set(offsets)) == len(NUMBERS)

    @pytest.mark.parametrize("effect", [False, True], ids=["after a death", "effects"])
    def test_what_comes_again_is_passed_over_in_one_go(self, house: House, effect: bool) -> None:
        if effect:
            house.effect(record=house.recording("house-a"), on_unknown_outcome="never")
        else:
            house.handler()
        house.say(*(("vase", number) for number in NUMBERS))
        testing.settle()
        house.rewind()
        died_in_a_batch(house)
        house.say(("vase", 5))

        with armed() as passed:
            testing.settle()

        assert house.seen(name="vase") == [*NUMBERS, 5]
        assert passed.passes["handle.begin.committed"] == 1  # one by one, but for what was had

    def test_a_handler_that_asks_for_it_has_a_transaction_to_itself(self, house: House) -> None:
        house.handler()

        assert len(offsets_seen(house, batch=1)) == len(NUMBERS)

    def test_what_is_left_of_a_batch_follows_without_being_fetched_again(
        self, house: House, time: dict[str, float]
    ) -> None:
        time[connection.vendor] = 0.0
        house.handler()
        house.say(("vase", 0))
        testing.settle()
        house.say(*(("vase", number) for number in NUMBERS))

        with armed() as passed:
            testing.settle()

        assert passed.passes["fetched"] == 1
        assert house.seen(name="vase") == [0, *NUMBERS]

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
