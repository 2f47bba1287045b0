"""In order per key; what fails parks its key and no other."""

import threading
import zlib
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.db import InterfaceError, connections, transaction

from eventbus import Permanent, RetryLater, ServiceUnavailable, backends, clock, handles, publish, registry
from eventbus.backends.base import partition_of
from eventbus.consuming.due_work import PARKED_AT_ONCE
from eventbus.database.outbox_inserts import LOCK_SLOTS, ROWS_PER_STATEMENT
from eventbus.failpoints import armed
from eventbus.failures import circuit_breaker
from eventbus.failures.failed_alike import ALIKE_AT_ONCE
from eventbus.models import DeadLetter, OutboxRow, ParkedKey, Progress
from eventbus.operations import status
from tests.eventbus.bus_app import House, Mended, Noted, Sown, Unknown, elsewhere
from tests.eventbus.busy_site import threads, waiting
from tests.eventbus.database_obstacles import KILLED, contention_at, refuse
from tests.waiting import until

# Promise 3: in order per key.


@pytest.mark.django_db(transaction=True)
class OrderPerKey:
    """Promise 3."""

    def test_each_key_is_heard_in_the_order_it_was_told(self, house: House) -> None:
        house.handler()
        for number in range(0, 60, 3):
            house.say(*((f"key{key}", number + step) for step in range(3) for key in range(5)))

        house.settle()

        for key in range(5):
            assert house.seen(name=f"key{key}") == list(range(60))

    def test_order_holds_through_retries(self, house: House, bus_clock) -> None:
        broken = Mended("vase")
        house.handler(call=broken)
        house.say(*(("vase", number) for number in range(4)), ("chair", 0))
        house.settle()
        assert house.seen() == [("chair", 0)]
        house.say(("vase", 4))
        house.settle()

        broken.names.clear()
        bus_clock.advance(hours=1)
        house.settle()

        assert house.seen(name="vase") == [0, 1, 2, 3, 4]
        assert house.parked() == []

    def test_commit_order_decides_when_two_publish_to_one_key(self, house: House) -> None:
        house.handler()

        def second() -> None:
            house.say(("vase", 2))
            connections.close_all()

        thread = threading.Thread(target=second, daemon=True)
        with transaction.atomic():
            publish(Noted(name="vase", number=1))
            thread.start()
            until(waiting, "the second waits, however long we take")
            publish(Noted(name="vase", number=3))
        thread.join()
        house.settle()

        assert house.seen(name="vase") == [1, 3, 2]

    @pytest.mark.parametrize("events", [1, ROWS_PER_STATEMENT], ids=["one statement", "several statements"])
    def test_two_who_tell_of_the_same_keys_in_opposite_orders_both_get_through(self, house: House, events: int) -> None:
        gate, one, other = keys_by_lock(
            3
        )  # the gate's lock sorts first: who holds another before is caught in a circle
        there = [*((one, number) for number in range(events)), (gate, 0), (other, 0)]
        back = [*((other, number) for number in range(events)), (gate, 0), (one, 0)]

        with ExitStack() as both, transaction.atomic():
            house.say((gate, 1))  # holds the gate's lock until this transaction ends
            both.enter_context(threads(lambda: house.say(*there), lambda: house.say(*back)))
            until(lambda: waiting() == 2, "both wait at the gate, with all that they hold by then")

        assert OutboxRow.objects.count() == len(there) + len(back) + 1

    def test_commit_order_decides_not_the_clock(self, house: House, bus_clock) -> None:
        house.handler()
        house.say(("vase", 1))
        bus_clock.advance(minutes=-5)  # as when a machine's clock is put right
        house.say(("vase", 2))

        house.settle()

        assert house.seen(name="vase") == [1, 2]

    def test_sequence_grows_within_a_key(self, house: House) -> None:
        house.say(("vase", 1), ("chair", 1), ("vase", 2))
        house.relay()

        sequences = [record.attributes()["sequence"] for record in house.log() if record.key == "vase"]

        assert len(sequences) == 2
        assert sequences == sorted(set(sequences))


def keys_by_lock(count: int) -> list[str]:
    """Keys that share no lock, in the order of their locks."""
    found = {zlib.crc32(name.encode()) % LOCK_SLOTS: name for name in (f"key{number}" for number in range(10 * count))}
    return [found[slot] for slot in sorted(found)][:count]


# Promise 4: what fails parks its key, and nothing else.

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


# Promise 4: after a repair, what failed alike follows the first success at once, in order, and a few at a time.

FIRST = "vase"
CUPS = [f"cup {number}" for number in range(5)]
HOURS = timedelta(hours=5)  # a backoff that nobody waits for


def fail_each(house: House, broken: Mended, *keys: str) -> None:
    """Let each key fail, and wait for long; then only the first is due, as its backoff has it."""
    house.say(*((key, number) for number in (1, 2) for key in keys))
    house.settle()
    assert house.parked() == sorted(keys)
    ParkedKey.objects.update(due_at=clock.now() + HOURS)
    make_due(keys[0])
    broken.calls = 0


def make_due(key: str) -> None:
    ParkedKey.objects.filter(key=key).update(due_at=clock.now())


def due() -> int:
    return ParkedKey.objects.filter(due_at__lte=clock.now()).count()


@pytest.mark.django_db(transaction=True)
class WhatFailedAlikeFollows:
    """Promise 4, after a repair."""

    def test_after_a_repair_the_first_success_lets_all_that_failed_alike_follow(self, house: House, bus_clock) -> None:
        broken = Mended(FIRST, *CUPS)
        house.handler(call=broken)
        fail_each(house, broken, FIRST, *CUPS)

        broken.names.clear()
        house.settle()

        assert house.parked() == []
        assert all(house.seen(name=key) == [1, 2] for key in (FIRST, *CUPS))
        assert len(house.seen()) == 2 * (1 + len(CUPS))

    def test_without_a_success_nobody_follows(self, house: House, bus_clock) -> None:
        broken = Mended(FIRST, *CUPS)
        house.handler(call=broken)
        fail_each(house, broken, FIRST, *CUPS)

        house.settle()

        assert broken.calls == 1  # of the key that was due

    def test_one_success_makes_few_due(self, house: House, bus_clock) -> None:
        names = [f"cup {number}" for number in range(2 * ALIKE_AT_ONCE)]
        broken = Mended(FIRST, *names)
        house.handler(call=broken)
        # A few at a time, with a success between them: more failures would open the circuit breaker.
        house.say(*((f"well {number}", 1) for number in range(2 * len(names))))
        fail_each(house, broken, FIRST, *names)
        house.restart()
        broken.names.clear()

        worker = house.worker()
        house.step(worker)
        while FIRST in house.parked():
            house.step(worker)

        assert due() == ALIKE_AT_ONCE
        worker.leave()
        house.settle()
        assert house.parked() == []

    def test_a_key_that_fails_again_is_not_hurried_by_the_next_success(self, house: House, bus_clock) -> None:
        broken = Mended(FIRST, *CUPS)
        house.handler(call=broken)
        fail_each(house, broken, FIRST, *CUPS)

        broken.names = {CUPS[0]}  # its data is at fault, whatever the others' fault was
        house.settle()

        assert (house.parked(), broken.calls) == ([CUPS[0]], 1)

    @pytest.mark.parametrize("error", [KeyError("another fault"), RetryLater("the other topic is behind")])
    def test_a_key_with_another_error_or_a_wait_of_its_own_is_left_alone(
        self, house: House, bus_clock, error: Exception
    ) -> None:
        broken = Mended(FIRST)
        others = Mended(*CUPS, error=error)

        def both(event: Any) -> None:
            broken(event)
            others(event)

        house.handler(call=both)
        fail_each(house, broken, FIRST, *CUPS)

        broken.names.clear()
        others.calls = 0
        house.settle()

        assert (house.parked(), others.calls) == (CUPS, 0)

    def test_keys_that_wait_for_data_of_their_own_do_not_hurry_one_another(self, house: House, bus_clock) -> None:
        early = Mended(FIRST, *CUPS, error=RetryLater("the other topic is behind"))
        house.handler(call=early)
        fail_each(house, early, FIRST, *CUPS)

        early.names.discard(FIRST)
        house.settle()

        assert (house.parked(), early.calls) == (CUPS, 0)

    def test_another_type_of_event_is_left_alone(self, house: House, bus_clock) -> None:
        broken = Mended(FIRST)
        house.handler(call=broken)
        house.handler(call=Mended("bed"), on=Sown)
        with transaction.atomic():
            publish(Sown(name="bed", number=1))
        house.settle()
        fail_each_alone(house, broken)

        broken.names.clear()
        house.settle()

        assert house.parked() == ["bed"]

    def test_a_probe_that_succeeds_lets_the_others_follow(self, house: House, bus_clock) -> None:
        broken = Mended(FIRST, *CUPS)
        house.handler(call=broken)
        fail_each(house, broken, FIRST, *CUPS)
        circuit_breaker.trip("house-a", "most of it fails")
        broken.names.clear()
        bus_clock.advance(minutes=1)
        house.settle()

        assert house.parked() == []

    def test_another_groups_keys_are_left_alone(self, house: House, bus_clock) -> None:
        broken, others = Mended(FIRST), Mended(FIRST)
        house.handler(call=broken)
        house.handler("house-b", others)
        house.say((FIRST, 1))
        house.settle()
        ParkedKey.objects.update(due_at=clock.now() + HOURS)
        ParkedKey.objects.filter(group="house-a").update(due_at=clock.now())
        broken.names.clear()
        others.calls = 0

        house.settle()

        assert (house.parked(), house.parked("house-b"), others.calls) == ([], [FIRST], 0)


def fail_each_alone(house: House, broken: Mended) -> None:
    """As `fail_each` for the first key, beside a key that failed before."""
    house.say((FIRST, 1))
    house.settle()
    ParkedKey.objects.update(due_at=clock.now() + HOURS)
    make_due(FIRST)
    broken.calls = 0


# Promise 6, the other way round: what breaks the world for one event alone is that event's failure.

OTHERS = [(f"chair {number}", 1) for number in range(20)]
NEIGHBOURS = 30  # names to look among for those that lie in the vase's partition
WAYS = {  # as PostgreSQL says it (SQLSTATE), and as SQLite does
    "a statement's timeout": ("57014", "SQLITE_IOERR"),
    "a backend that is killed": (KILLED, "SQLITE_CANTOPEN"),
    "a query without memory": ("53200", "SQLITE_FULL"),
    "a row that somebody holds": ("55P03", "SQLITE_BUSY"),
}


class Poison:
    """A handler for which the world ends with each event of some names, or of all, until it is mended."""

    def __init__(self, end_world: Callable[[], object], *names: str) -> None:
        self.end_world, self.names, self.tries = end_world, set(names or ("vase",)), 0

    def __call__(self, event: Noted, **named: str) -> None:
        if event.name in self.names or "all" in self.names:
            self.tries += 1
            self.end_world()


def fail(error: Exception) -> None:
    raise error


def beside_the_vase(count: int) -> list[str]:
    """Names that lie in the same partition."""
    partitions = len(backends.current().partitions([Noted.topic]))
    names = [f"shelf {number}" for number in range(NEIGHBOURS)]
    return [name for name in names if partition_of(name, partitions) == partition_of("vase", partitions)][:count]


@pytest.mark.django_db(transaction=True)
class PoisonThatLooksLikeTheWorld:
    """Promise 6."""

    @pytest.fixture(autouse=True)
    def _hasty(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A worker that waits long for nothing."""
        monkeypatch.setattr("eventbus.consuming.worker.OUTAGE_PAUSE_SECONDS", (0.01, 0.02))
        monkeypatch.setattr("eventbus.consuming.worker.CONTENTION_SECONDS", 0.05)

    @pytest.mark.parametrize("how", WAYS)
    def test_what_breaks_the_world_for_one_event_alone_parks_its_key(self, house: House, how: str) -> None:
        house.handler(call=Poison(partial(refuse, *WAYS[how])), attempts=1)
        house.say(("vase", 1), ("vase", 2), *OTHERS)
        house.relay()

        with house.working():
            until(lambda: len(house.seen()) == len(OTHERS) and house.dead(), "all others handled, and it set aside")

        assert sorted(house.seen()) == sorted(OTHERS)
        assert house.parked() == ["vase"]
        assert [(letter.key, letter.attempts) for letter in house.dead()] == [("vase", 1)]
        found = status.status()
        assert [str(one) for one in status.problems(found, dispatches=True) if one.kind == "dead-letters"] == [
            "Dead letters: 1. See manage.py eventbus dead, then requeue or discard."
        ]
        assert [(one.group, one.dead_letters, one.dead_keys) for one in found.groups if one.dead_letters] == [
            ("house-a", 1, 1)
        ]

    def test_poison_side_by_side_holds_up_none_behind_it(self, house: House) -> None:
        names = beside_the_vase(3)
        house.handler(call=Poison(partial(refuse, *WAYS["a statement's timeout"]), "vase", *names[:2]), attempts=1)
        house.say(("vase", 1), (names[0], 1), (names[1], 1), (names[2], 1))
        house.relay()

        with house.working():
            until(lambda: house.seen() and len(house.dead()) == 3, "the last of them handled, and the others set aside")

        assert house.seen() == [(names[2], 1)]

    def test_parked_keys_whose_heads_break_the_world_hold_up_no_other(self, house: House, bus_clock) -> None:
        poison = Poison(partial(fail, ValueError("broken")), "vase", "sofa")
        house.handler(call=poison, attempts=2)
        house.say(("vase", 1), ("sofa", 1))
        house.settle(raise_errors=False)
        poison.end_world = partial(refuse, *WAYS["a statement's timeout"])
        house.say(*OTHERS)
        house.relay()
        bus_clock.advance(hours=1)
        house.restart()  # whoever settled leaves all partitions to the worker

        with house.working():
            until(lambda: len(house.seen()) == len(OTHERS) and len(house.dead()) == 2, "all others, and both set aside")

        assert sorted(house.seen()) == sorted(OTHERS)
        assert [letter.attempts for letter in house.dead()] == [2, 2]

    @pytest.mark.parametrize("where", ["asking", "recording"])
    def test_an_effect_that_breaks_the_world_for_one_event_alone_parks_its_key(self, house: House, where: str) -> None:
        poison, asked = Poison(partial(refuse, *WAYS["a query without memory"])), []

        def ask(event: Noted, **named: str) -> None:
            asked.append(event.name)
            if where == "asking":
                poison(event)

        def record(event: Noted, answer: None) -> None:
            if where == "recording":
                poison(event)
            house.write("post", event)

        house.effect("post", ask, record=record, on_unknown_outcome="never", attempts=1)
        house.say(("vase", 1), *OTHERS)
        house.relay()

        with house.working("post"):
            until(lambda: len(house.seen("post")) == len(OTHERS) and house.dead("post"), "all others, and it set aside")

        assert sorted(house.seen("post")) == sorted(OTHERS)
        assert [letter.error_class for letter in house.dead("post")] == ["OperationalError"]
        assert asked.count("vase") == (1 if where == "recording" else poison.tries)

    def test_a_service_that_is_away_for_one_event_and_answers_others_is_not_away(self, house: House, bus_clock) -> None:
        house.effect(
            "post",
            Poison(partial(fail, ServiceUnavailable("nobody opens"))),
            record=house.recording("post"),
            on_unknown_outcome="never",
            attempts=1,
        )
        house.say(("vase", 1))
        for one in OTHERS:
            house.say(one)
            house.settle(raise_errors=False)
            bus_clock.advance(minutes=1)

        assert len(house.seen("post")) == len(OTHERS)
        assert [letter.error_class for letter in house.dead("post")] == ["ServiceUnavailable"]

    def test_a_world_that_is_broken_for_all_is_waited_for(self, house: House) -> None:
        poison = Poison(partial(fail, InterfaceError("connection already closed")), "all")
        house.handler(call=poison, attempts=1)
        house.say(("vase", 1), ("vase", 2), *OTHERS[:5])
        house.relay()

        with house.working():
            until(lambda: poison.tries >= 25, "each was tried more often than one that breaks it alone may be")
            assert house.dead() == []
            poison.names.clear()
            until(lambda: len(house.seen()) == 7, "all handled once the world was back")

        assert house.seen(name="vase") == [1, 2]
        assert (house.parked(), house.dead()) == ([], [])

    def test_who_breaks_the_world_again_and_again_with_nobody_else_there_is_blamed(
        self, house: House, bus_clock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        poison = Poison(partial(refuse, *WAYS["a statement's timeout"]))
        house.handler(call=poison, attempts=1)
        house.say(("vase", 1))
        house.relay()

        with house.working():
            until(lambda: poison.tries >= 20, "it was tried many times within a moment")
            assert house.dead() == []
            bus_clock.advance(minutes=1)
            until(house.dead, "it is set aside, since it went on for a minute")

        assert ParkedKey.objects.get().state == ParkedKey.State.DEAD
