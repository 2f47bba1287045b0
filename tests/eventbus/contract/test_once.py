"""Handled once, by one owner, from where a group begins; also after a restore of the database."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import InterfaceError, transaction
from django.db.models import F

from eventbus import Permanent, backends, clock, failpoints, handles, publish, registry, testing
from eventbus.audit import delivery_audit
from eventbus.consuming.worker import Worker
from eventbus.database import leases
from eventbus.database.leases import LEASE_SECONDS, RELAY, Lease
from eventbus.errors import LeaseLost, StaleEpoch
from eventbus.failures import circuit_breaker, parking
from eventbus.models import (
    ConsumerGroup,
    DeadLetter,
    Divergence,
    Effect,
    InboxRow,
    LeaseRow,
    OutboxRow,
    ParkedEvent,
    ParkedKey,
    Progress,
    Timer,
)
from eventbus.processes.dispatcher import STANDBY_SECONDS
from eventbus.progress import group_starts, inbox, log_generations
from eventbus.publishing.relay import Relay
from eventbus.recovery import divergence
from eventbus.testing import Crash
from tests.eventbus.bus_app import House, Mended, Noted, Sown
from tests.eventbus.busy_site import places, prune_a_day_later, threads, waiting
from tests.eventbus.load_app.processes import HANDOVER_SECONDS_MAX
from tests.waiting import DEADLINE_SECONDS, until

# Promise 2: handled once.


@pytest.mark.django_db(transaction=True)
class HandledOnce:
    """Promise 2."""

    def test_a_log_that_comes_again_is_handled_once(self, house: House) -> None:
        house.handler()
        house.say(("vase", 1), ("vase", 2))
        house.settle()

        house.rewind()
        house.settle()

        assert house.seen(name="vase") == [1, 2]

    def test_what_a_handler_wrote_before_it_failed_was_never_written(self, house: House, bus_clock) -> None:
        attempts = []

        def write_then_fail_once(event: Noted) -> None:
            house.write("half", event)
            attempts.append(event.number)
            if len(attempts) == 1:
                raise ValueError("after the write")

        house.handler(call=write_then_fail_once)
        house.say(("vase", 1))
        house.settle()
        bus_clock.advance(hours=1)
        house.settle()

        assert attempts == [1, 1]
        assert house.seen("half") == [("vase", 1)]
        assert house.seen() == [("vase", 1)]

    def test_a_batch_that_fails_in_the_middle_is_handled_one_by_one(self, house: House) -> None:
        broken = Mended("bad")
        house.handler(call=broken)
        house.say(("warm", 0))
        house.settle()  # the first batch after a start is careful anyway

        house.say(*((name, number) for number in range(5) for name in ("good", "bad")))
        house.settle()

        assert house.seen(name="good") == [0, 1, 2, 3, 4]
        assert InboxRow.objects.filter(group="house-a").count() == 6

    def test_a_worker_whose_lease_was_lost_takes_nothing_over(self, house: House) -> None:
        house.handler()
        lost = Lease("post")
        assert lost.acquire()
        LeaseRow.objects.filter(name="post").update(owner="the next one", epoch=F("epoch") + 1)
        owner = Worker(registry.groups["house-a"], backends.current())
        house.step(owner)
        house.say(("vase", 1))
        house.relay()

        late = Worker(registry.groups["house-a"], backends.current(), fence=lost.check)
        with pytest.raises(LeaseLost):
            house.step(late)
        late.leave()
        until(lambda: house.step(owner), "its owner handles it")

        assert house.seen(name="vase") == [1]

    def test_a_log_that_comes_again_finds_what_is_parked(self, house: House, bus_clock) -> None:
        broken = Mended("vase")
        house.handler(call=broken)
        house.say(("vase", 1), ("vase", 2))
        house.settle()

        house.rewind()
        house.settle(raise_errors=True)
        assert ParkedEvent.objects.count() == 2

        broken.names.clear()
        bus_clock.advance(hours=1)
        house.settle()
        assert house.seen(name="vase") == [1, 2]

    def test_a_log_that_comes_again_finds_what_is_dead(self, house: House) -> None:
        broken = Mended("vase", error=Permanent("poison"))
        house.handler(call=broken)
        house.say(("vase", 1))
        house.settle()

        house.rewind()
        house.settle(raise_errors=True)

        assert (broken.calls, len(house.dead()), ParkedEvent.objects.count()) == (1, 1, 0)

    def test_what_was_handled_after_a_worker_had_looked_is_not_handled_again(self, house: House, monkeypatch) -> None:
        """Its look at the inbox was too early: then only the row itself stands against handling it twice."""
        house.handler()
        house.say(("vase", 1), ("vase", 2))
        testing.settle()  # no faults here: it cuts batches as it likes
        house.rewind()
        early: list[set[UUID]] = [set()]
        known = inbox.known
        monkeypatch.setattr(inbox, "known", lambda *asked, **run: early.pop() if early else known(*asked, **run))

        testing.settle(raise_errors=False)

        assert early == []
        assert house.seen(name="vase") == [1, 2]
        assert places() == {"handled": 2}
        assert (house.parked(), house.dead()) == ([], [])

    def test_what_was_handled_while_it_was_parked_is_not_handled_again(self, house: House, bus_clock) -> None:
        broken = Mended("vase")
        house.handler(call=broken)
        [event_id] = house.say(("vase", 1))
        house.settle()
        InboxRow.objects.create(group="house-a", event_id=event_id, handled_at=clock.now())

        broken.names.clear()
        bus_clock.advance(hours=1)
        house.settle()

        assert house.seen() == [], "what its handler wrote is rolled back"
        assert house.parked() == ["vase"], "an operator can see that it lies in two places"

    def test_an_event_that_comes_twice_in_one_batch_is_handled_once(self, house: House, monkeypatch) -> None:
        heard: list[int] = []
        house.handler(call=lambda event: heard.append(event.number))
        house.say(("vase", 0))
        house.settle()  # the first batch after a start is handled one by one
        house.say(("vase", 1), ("vase", 2))

        consumer = type(backends.current().consumer([Noted.topic]))
        fetch = consumer.fetch
        monkeypatch.setattr(consumer, "fetch", lambda self, count: [one for one in fetch(self, count) for _ in "ab"])
        house.settle(raise_errors=True)

        assert heard == [0, 1, 2]
        assert house.seen(name="vase") == [0, 1, 2]

    def test_two_handlers_of_a_group_both_handle_an_event_or_neither(self, house: House, bus_clock) -> None:
        broken = Mended("vase")
        house.handler()
        house.handler(call=broken)
        house.say(("vase", 1))
        house.settle()
        assert house.seen() == []

        broken.names.clear()
        bus_clock.advance(hours=1)
        house.settle()

        assert house.seen() == [("vase", 1), ("vase", 1)]


# Promise 2: handled once, also where partitions are taken over while their former owner is at work.

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


# A database that is restored under a process that runs: what it remembers is not so any more.


@pytest.mark.django_db(transaction=True)
class TheDatabaseIsRestored:
    """Promises 1 and 2, where the database goes back."""

    def test_a_group_that_went_back_leaves_nothing_out(self, house: House) -> None:
        heard: list[int] = []
        house.handler(call=lambda event: transaction.on_commit(lambda: heard.append(event.number)))
        worker = house.worker()
        house.say(("vase", 1))
        house.relay()
        house.step(worker)
        before = {row.pk: row.offset for row in Progress.objects.filter(group="house-a")}
        house.say(("vase", 2))
        house.relay()
        house.step(worker)
        assert heard == [1, 2]

        InboxRow.objects.filter(event_id=OutboxRow.objects.latest("id").event_id).delete()
        for row_id, offset in before.items():
            Progress.objects.filter(id=row_id).update(offset=offset, handled=offset)
        house.say(("vase", 3))
        house.relay()
        with pytest.raises(StaleEpoch):
            house.step(worker)
        worker.leave()
        house.settle()

        assert heard == [1, 2, 2, 3]

    def test_a_relay_that_kept_the_lease_through_a_restore_appends_nothing(self, house: House) -> None:
        """Owner and epoch are the same in the backup; only the beat is an earlier one."""
        lease = Lease(RELAY)
        assert lease.acquire()
        relay = Relay(backends.current(), lease)
        before = LeaseRow.objects.get(name=RELAY).beat
        house.say(("vase", 1))
        relay.step()
        relay.step()

        LeaseRow.objects.filter(name=RELAY).update(beat=before)
        house.say(("vase", 2))
        with pytest.raises(LeaseLost, match="the database was restored"):
            relay.step()

        assert OutboxRow.objects.filter(offset=None).count() == 1

    def test_nothing_moves_while_database_and_log_tell_of_different_pasts(self, house: House) -> None:
        house.handler()
        house.say(("vase", 1))
        house.relay()
        house.say(("vase", 2))
        with transaction.atomic():
            publish(Noted(name="egg", number=1), due=clock.now() - timedelta(seconds=1))

        divergence.stand_still(house.log()[0])
        house.settle()

        assert house.seen() == []
        assert (OutboxRow.objects.filter(offset=None).count(), Timer.objects.count()) == (1, 1)
        Divergence.objects.all().delete()
        house.restart()
        house.settle()
        assert sorted(house.seen()) == [("egg", 1), ("vase", 1), ("vase", 2)]


# Where a new group begins: with what is published from then on, or with all that is kept, as its declaration says.

OLD = [("vase", 1), ("vase", 2), ("chair", 1)]


@pytest.mark.django_db(transaction=True)
class BeginsAsDeclared:
    """Promise 1, for a group that comes later."""

    @pytest.mark.parametrize("relayed", [True, False], ids=["relayed", "still in the outbox"])
    def test_a_new_group_handles_all_that_is_kept_once_and_in_order(self, house: House, relayed: bool) -> None:
        house.say(*OLD)
        if relayed:
            house.relay()

        house.handler("house-b", start="earliest")
        house.say(("vase", 3))
        house.settle()
        house.restart()
        house.settle()

        assert house.seen("house-b", "vase") == [1, 2, 3]
        assert house.seen("house-b", "chair") == [1]
        assert places("house-b") == {"handled": 4}

    @pytest.mark.parametrize("policy", [{}, {"start": "latest"}])
    def test_another_begins_with_what_comes_from_then_on(self, house: House, policy: dict[str, Any]) -> None:
        house.say(*OLD)
        house.relay()

        house.handler("house-b", **policy)
        house.say(("vase", 3))
        house.settle()

        assert house.seen("house-b") == [("vase", 3)]
        assert places("house-b") == {"handled": 1}

    def test_what_is_pruned_is_not_missed(self, house: House, bus_clock) -> None:
        broken = Mended("chair")
        house.handler("house-a", broken, attempts=1)
        house.say(("chair", 1), *(("vase", number) for number in range(1, 4)))
        house.settle()
        assert prune_a_day_later(bus_clock).events == 2
        kept = sorted(OutboxRow.objects.values_list("key", flat=True))

        house.handler("house-b", start="earliest")
        house.say(("vase", 4))
        house.settle()

        assert kept == ["chair", "vase"]
        assert sorted(house.seen("house-b")) == [("chair", 1), ("vase", 3), ("vase", 4)]
        assert places("house-b") == {"handled": 3}
        bus_clock.advance(days=1)
        prune_a_day_later(bus_clock)
        assert places("house-b") == {"handled": 3}

    def test_nothing_is_pruned_that_it_has_still_to_handle(self, house: House, bus_clock) -> None:
        house.handler("house-a")
        house.say(*OLD)
        house.settle()
        house.handler("house-b", start="earliest")

        assert prune_a_day_later(bus_clock).events == 0

        house.settle()
        assert len(house.seen("house-b")) == len(OLD)

    def test_nothing_is_pruned_while_it_is_made(self, house: House, bus_clock, monkeypatch) -> None:
        """Pruning would not see it yet, and it would begin at an event that is gone a moment later."""
        lock, asked = log_generations.lock, list[Any]()
        monkeypatch.setattr(log_generations, "lock", lambda topics, **how: (asked.append(how), lock(topics, **how)))
        house.handler("house-a")
        house.say(*OLD)
        house.settle()
        running: list[Callable[[], bool]] = []

        with ExitStack() as stack:

            def prune() -> None:
                running.append(stack.enter_context(threads(lambda: prune_a_day_later(bus_clock) and None)))
                until(lambda: {"wait": False} in asked or waiting() or not running[0](), "it is held up, or done")

            with meanwhile("groups.ensure.commit", prune):
                house.handler("house-b", start="earliest")
        assert not running[0]()

        house.settle()
        assert sorted(house.seen("house-b")) == sorted(OLD)
        assert places("house-b") == {"handled": len(OLD)}

    def test_its_handlers_publish_as_always(self, house: House) -> None:
        [cause, *_] = house.say(("vase", 1))
        house.relay()

        def answer(event: Noted) -> None:
            if event.name != "answer":
                publish(Noted(name="answer", number=event.number))

        house.handler("house-b", answer, start="earliest")
        house.settle()

        [answered] = OutboxRow.objects.filter(key="answer")
        assert str(cause) in answered.headers
        assert house.seen("house-b") == [("vase", 1), ("answer", 1)]

    def test_a_failed_old_event_is_parked_and_tried_again(self, house: House, bus_clock) -> None:
        house.say(*OLD)
        house.relay()
        broken = Mended("vase")
        house.handler("house-b", broken, start="earliest")
        house.settle()
        assert house.parked("house-b") == ["vase"]

        broken.names.clear()
        bus_clock.advance(hours=1)
        house.settle()

        assert house.seen("house-b", "vase") == [1, 2]

    def test_a_topic_that_is_new_to_the_group_begins_there_too(self, house: House) -> None:
        house.handler("house-b", start="earliest")
        with transaction.atomic():
            publish(Sown(name="rose", number=1))
        house.settle()
        assert house.seen("house-b") == []

        house.handler("house-b", on=Sown, start="earliest")
        house.restart()
        house.settle()

        assert house.seen("house-b") == [("rose", 1)]

    def test_a_group_that_has_begun_is_not_moved(self, house: House) -> None:
        house.say(*OLD)
        house.relay()
        house.handler("house-b")
        house.settle()
        begun = sorted(Progress.objects.filter(group="house-b").values_list("partition", "start", "offset"))

        registry.groups.clear()
        handles(Noted, group="house-b", start="earliest")(lambda event: house.write("house-b", event))
        group_starts.ensure(backends.current(), registry.groups.values())
        house.restart()
        house.settle()

        assert sorted(Progress.objects.filter(group="house-b").values_list("partition", "start", "offset")) == begun
        assert house.seen("house-b") == []
        assert delivery_audit.problems(delivery_audit.read()) == []


# Who is the one: the owner while it lives, the next one soon after it has died.

LOOK_SECONDS = 0.5  # between a standby's looks


class Watch:
    """A monotonic clock that moves when it is told to."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def monotonic(self) -> float:
        return self.seconds


def seconds_until_taken(standby: Lease, watch: Watch, *, look: float = LOOK_SECONDS) -> float:
    began = watch.seconds
    while not standby.acquire():
        watch.seconds += look
        assert watch.seconds < began + 60, "never taken over"
    return watch.seconds - began


@pytest.mark.django_db(transaction=True)
class OneAtATime:
    """One relay, dispatcher or poller; promise 3 rests on it."""

    @pytest.fixture
    def watch(self, monkeypatch) -> Watch:
        one = Watch()
        monkeypatch.setattr(leases, "time", one)
        return one

    @pytest.fixture
    def owner(self) -> Lease:
        lease = Lease("post")
        assert lease.acquire()
        return lease

    def test_a_dead_owners_lease_is_taken_over_and_the_dead_one_cannot_come_back(
        self, owner: Lease, watch: Watch
    ) -> None:
        standby = Lease("post")

        assert LEASE_SECONDS <= seconds_until_taken(standby, watch) <= LEASE_SECONDS + LOOK_SECONDS
        with pytest.raises(LeaseLost):
            owner.beat()
        standby.beat()

    def test_a_dispatcher_that_dies_right_after_a_beat_is_followed_in_time(self, owner: Lease, watch: Watch) -> None:
        standby = Lease("post")
        assert not standby.acquire()
        owner.beat()  # right after that look, and its last: the next look is the first that sees it

        watch.seconds += STANDBY_SECONDS
        silent = seconds_until_taken(standby, watch, look=STANDBY_SECONDS)

        assert STANDBY_SECONDS + silent < HANDOVER_SECONDS_MAX

    def test_an_owner_who_beats_keeps_its_lease(self, owner: Lease, watch: Watch) -> None:
        standby = Lease("post")

        for _ in range(40):
            watch.seconds += LOOK_SECONDS
            owner.beat()
            assert not standby.acquire()

    def test_a_standby_that_was_held_up_takes_nothing_from_an_owner_held_up_by_the_same_lock(
        self, owner: Lease, watch: Watch
    ) -> None:
        standby = Lease("post")
        assert not standby.acquire()

        watch.seconds += 20  # a long transaction held the database; the standby's look comes through before the beat
        assert not standby.acquire()
        owner.beat()

        watch.seconds += LOOK_SECONDS
        assert not standby.acquire()

    def test_a_beat_in_between_starts_the_silence_anew(self, owner: Lease, watch: Watch) -> None:
        standby = Lease("post")
        while watch.seconds < 100 + LEASE_SECONDS - LOOK_SECONDS:
            assert not standby.acquire()
            watch.seconds += LOOK_SECONDS
        owner.beat()

        assert seconds_until_taken(standby, watch) >= LEASE_SECONDS

    def test_a_lease_that_was_left_is_free_at_once(self, owner: Lease) -> None:
        owner.release()

        assert Lease("post").acquire()
