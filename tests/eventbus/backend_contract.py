"""What every backend owes its users. A test module subclasses `BackendContract` and adds nothing but the backend."""

import threading
from datetime import timedelta

import msgspec
import pytest
from django.db import IntegrityError, InterfaceError, connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from eventbus import NotYet, Permanent, backends, handles, publish, registry, watches
from eventbus.effects import CRASHES_MAX
from eventbus.errors import EventTooLarge, PublishOutsideTransaction, StaleEpoch
from eventbus.events import EVENT_BYTES_MAX
from eventbus.models import DeadLetter, Effect, InboxRow, OutboxRow, ParkedEvent, ParkedKey, Progress
from eventbus.worker import Worker
from tests.eventbus.house import House, Noted, Unknown, locked_progress, refusing_dead_letters, until


class Mended:
    """A handler that fails until it is mended."""

    def __init__(self, *names: str, error: Exception | None = None) -> None:
        self.names, self.error, self.calls = set(names), error or ValueError("broken"), 0

    def __call__(self, event: Noted) -> None:
        if event.name in self.names:
            self.calls += 1
            raise self.error


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

    def test_a_worker_whose_partition_was_taken_over_writes_nothing(self, house: House) -> None:
        house.handler()
        former = Worker(registry.groups["house-a"], backends.current())
        former.step()
        house.say(("vase", 1))
        house.relay()
        Worker(registry.groups["house-a"], backends.current()).step()

        with pytest.raises(StaleEpoch):
            house.say(("vase", 2))
            house.relay()
            former.step()
            former.step()

        house.settle()
        assert house.seen(name="vase") == [1, 2]

    def test_an_effect_happens_once_and_its_answer_is_recorded(self, house: House) -> None:
        sent, answers = [], []

        def send(event: Noted, *, idempotency_key: str) -> str:
            assert not connection.in_atomic_block
            sent.append(idempotency_key)
            return f"sent {event.number}"

        house.handler("post", send, effect=True, record=lambda event, answer: answers.append(answer), on_doubt="again")
        house.say(("vase", 1))
        house.settle()
        house.rewind("post")
        house.settle()

        assert len(sent) == 1
        assert answers == ["sent 1"]
        assert Effect.objects.get(group="post").state == Effect.State.DONE

    def test_an_effect_in_doubt_is_asked_again_with_the_same_key_or_never(self, house: House) -> None:
        keys: dict[str, list[str]] = {"again": [], "never": []}

        def die(how: str):
            def send(event: Noted, *, idempotency_key: str) -> None:
                keys[how].append(idempotency_key)
                if len(keys[how]) == 1:
                    raise KeyboardInterrupt  # as abrupt as a death: nothing of ours answers it

            return send

        for how in keys:
            house.handler(how, die(how), effect=True, record=lambda event, answer: None, on_doubt=how)
        house.say(("vase", 1))
        for _ in keys:
            with pytest.raises(KeyboardInterrupt):
                house.settle()
            house.restart()
        house.settle()

        assert len(keys["again"]) == 2
        assert len(set(keys["again"])) == 1
        assert len(keys["never"]) == 1
        assert [letter.error_class for letter in house.dead("never")] == ["InDoubt"]
        assert house.dead("again") == []


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
        second_has_begun = threading.Event()

        def second() -> None:
            second_has_begun.set()
            house.say(("vase", 2))
            connections.close_all()

        thread = threading.Thread(target=second)
        with transaction.atomic():
            publish(Noted(name="vase", number=1))
            thread.start()
            second_has_begun.wait()
            thread.join(0.3)  # it must not get past us, however long we take
            assert thread.is_alive()
        thread.join()
        house.settle()

        assert house.seen(name="vase") == [1, 2]

    def test_sequence_grows_within_a_key(self, house: House) -> None:
        house.say(("vase", 1), ("chair", 1), ("vase", 2))
        house.relay()
        consumer = backends.current().consumer(["house"])
        records = []
        while found := consumer.fetch(10):
            records += found

        sequences = [record.attributes()["sequence"] for record in records if record.key == "vase"]

        assert len(sequences) == 2
        assert sequences == sorted(set(sequences))


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


@pytest.mark.django_db(transaction=True)
class ABrokenWorldIsNotAPoisonEvent:
    """Promise 6."""

    def test_a_database_locked_for_longer_than_its_timeout_counts_no_attempt(self, house: House) -> None:
        house.handler()
        house.say(("vase", 1))
        house.relay()

        with locked_progress(), house.working():
            threading.Event().wait(0.5)  # several timeouts long
            assert house.seen() == []
        with house.working():
            until(house.seen, "the event handled once the lock was gone")

        assert house.seen() == [("vase", 1)]
        assert (house.parked(), house.dead()) == ([], [])

    def test_a_database_that_goes_away_counts_no_attempt(self, house: House) -> None:
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

    @pytest.mark.parametrize("on_doubt", ["again", "never"])
    def test_an_answer_in_hand_survives_a_database_that_goes_away(self, house: House, on_doubt: str) -> None:
        sent, away = [], [True, True]

        def record(event: Noted, answer: int) -> None:
            if away:
                away.pop()
                raise InterfaceError("connection already closed")
            house.write("post", event)

        def send(event: Noted, **named: str) -> None:
            sent.append(event.number)

        house.handler("post", send, effect=True, record=record, on_doubt=on_doubt)
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

    def _as_if_it_died(self, event_id, deaths: int) -> None:
        Progress.objects.filter(group="house-a").update(position=0, running_event=event_id, crashes=deaths - 1)
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
        with house.working() as stop:
            assert in_hand.wait(10)
            stop.set()
            finish.set()

        assert house.seen(name="vase") == [0]
        house.settle()
        assert house.seen(name="vase") == [0, 1, 2, 3, 4]


def _parked_numbers() -> list[Noted]:

    return [msgspec.json.decode(bytes(row.payload), type=Noted) for row in ParkedEvent.objects.order_by("position")]


class BackendContract(
    NothingLostNothingInvented,
    HandledOnce,
    OrderPerKey,
    ParkTheKey,
    ABrokenWorldIsNotAPoisonEvent,
    DeploysWithoutDrama,
):
    """Every promise, for one backend."""
