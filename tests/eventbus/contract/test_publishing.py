"""What is told is told with its rows, in order, to all who watch."""

import re
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from eventbus import Event, backends, publish, watches
from eventbus.audit import delivery_audit
from eventbus.consuming.watching import Watch
from eventbus.database.leases import Lease
from eventbus.database.outbox_inserts import slots
from eventbus.errors import EventTooLarge, LeaseLost, NotAnEvent, PublishOutsideTransaction, WrongFieldType
from eventbus.events import EVENT_BYTES_MAX, KEY_CHARACTERS_MAX
from eventbus.failpoints import FailedHere, armed
from eventbus.models import LeaseRow, OutboxRow, ParkedKey, Progress, Timer
from eventbus.publishing import rejected_records
from eventbus.publishing.encoding import encode
from eventbus.publishing.relay import Relay
from eventbus.testing import published_events
from tests.eventbus.bus_app import House, Mended, Noted, Sown, Unknown
from tests.eventbus.busy_site import prune_a_day_later
from tests.waiting import DEADLINE_SECONDS, until

# Promise 1: what is told is told with the rows that it tells of, or not at all.


class Described(Event, name="house.described", topic="house", key="name"):
    """Somebody described something at length."""

    name: str
    details: dict[str, list[str]]


@pytest.mark.django_db(transaction=True)
class ToldWithItsRows:
    """Promise 1."""

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

    def test_the_transaction_of_a_test_case_does_not_count_as_one(self, house: House) -> None:
        of_the_test = transaction.atomic()
        of_the_test._from_testcase = True  # as Django's TestCase marks the one that it rolls back

        with of_the_test, pytest.raises(PublishOutsideTransaction):
            publish(Noted(name="vase", number=1))

    def test_many_events_are_one_statement(self, house: House) -> None:
        with transaction.atomic(), CaptureQueriesContext(connection) as queries:
            publish(*(Noted(name=f"n{number}", number=number) for number in range(300)))

        assert len(queries) == 1

    @pytest.mark.parametrize(
        ("event", "field"),
        [
            (Noted(name="vase", number="12"), "Noted.number holds str: it must be int"),
            (Noted(name="vase", number=True), "Noted.number holds bool: it must be int"),
            (Noted(name=None, number=1), "Noted.name holds NoneType: it must be str"),
            (Described(name="vase", details={"text": [1]}), "Described.details holds dict"),
            (Described(name="vase", details=[]), "Described.details holds list"),
        ],
    )
    def test_a_value_of_another_type_is_refused_with_its_field(self, house: House, event: Event, field: str) -> None:
        with pytest.raises(WrongFieldType, match=re.escape(field)), transaction.atomic():
            publish(Noted(name="vase", number=1), event)

        assert not OutboxRow.objects.exists()

    @pytest.mark.parametrize(
        "how", [{}, {"due": datetime(2030, 1, 1, tzinfo=UTC)}, {"unordered": "a test"}], ids=["now", "due", "unordered"]
    )
    @pytest.mark.parametrize("before", [0, 1, 500])
    def test_a_wrong_value_is_refused_on_every_way_to_publish(
        self, house: House, how: dict[str, Any], before: int
    ) -> None:
        events = [Noted(name=f"n{number}", number=number) for number in range(before)]

        with pytest.raises(WrongFieldType, match="Noted.number holds str"), transaction.atomic():
            publish(*events, Noted(name="vase", number="12"), **how)

        assert not OutboxRow.objects.exists()
        assert not Timer.objects.exists()

    @pytest.mark.parametrize("due", [None, datetime(2030, 1, 1, tzinfo=UTC)])
    def test_a_handler_that_publishes_a_wrong_value_fails(self, house: House, due: datetime | None) -> None:
        house.handler(call=lambda event: publish(Noted(name="echo", number="12"), due=due))
        house.say(("vase", 1))

        house.settle()

        assert "Noted.number holds str" in ParkedKey.objects.get(group="house-a").error
        assert OutboxRow.objects.count() == 1
        assert not Timer.objects.exists()

    @pytest.mark.parametrize(
        ("value", "found"),
        [
            ("vase", "a value of str"),
            ({"name": "vase"}, "a value of dict"),
            ([Noted(name="vase", number=1)], "a value of list"),
            (Noted, "the class Noted"),
            (Event(), "a value of Event"),
            (None, "a value of NoneType"),
        ],
    )
    def test_what_is_no_event_is_refused(self, house: House, value: Any, found: str) -> None:
        with pytest.raises(NotAnEvent, match=f"was given {found}. Write publish"), transaction.atomic():
            publish(Noted(name="vase", number=1), value)

        assert not OutboxRow.objects.exists()

    def test_an_event_that_is_too_large_is_refused(self, house: House) -> None:
        with pytest.raises(EventTooLarge), transaction.atomic():
            publish(Noted(name="x" * EVENT_BYTES_MAX, number=1))

    def test_the_largest_event_is_carried(self, house: House) -> None:
        text = "x" * (EVENT_BYTES_MAX - len(msgspec.json.encode(Described(name="vase", details={"": [""]}))))
        with transaction.atomic():
            publish(Described(name="vase", details={"": [text]}))
        with pytest.raises(EventTooLarge), transaction.atomic():
            publish(Described(name="vase", details={"": [text + "x"]}))

        house.relay()

        [record] = house.log()
        assert len(record.payload) == EVENT_BYTES_MAX

    @pytest.mark.parametrize(
        "event",
        [
            Noted(name="a\0b", number=1),
            Described(name="vase", details={"text": ["fine", "a\0b"]}),
            Described(name="vase", details={"a\0b": []}),
        ],
        ids=["in a key", "deep inside", "in a name"],
    )
    def test_a_text_that_not_every_database_keeps_is_refused(self, house: House, event: Event) -> None:
        with pytest.raises(ValueError, match="U\\+0000"), transaction.atomic():
            publish(event)

    def test_a_text_that_only_looks_like_it_is_carried(self, house: House) -> None:
        with transaction.atomic():
            publish(Described(name="vase", details={"escaped": ["\\u0000"]}))
        house.relay()

        [record] = house.log()

        assert msgspec.json.decode(record.payload, type=Described).details == {"escaped": ["\\u0000"]}

    @pytest.mark.parametrize("name", ["", "x" * (KEY_CHARACTERS_MAX + 1)], ids=["none", "too long"])
    def test_an_event_without_a_key_to_keep_its_order_by_is_refused(self, house: House, name: str) -> None:
        with pytest.raises(ValueError, match="unusable key"), transaction.atomic():
            publish(Noted(name=name, number=1))

    def test_who_gives_up_the_order_is_heard_all_the_same(self, house: House) -> None:
        house.handler()
        with transaction.atomic():
            publish(Noted(name="vase", number=1), unordered="a vase is noted once")

        house.settle()

        assert house.seen() == [("vase", 1)]

    @pytest.mark.parametrize("reason", ["  ", True, False, None])
    def test_giving_up_the_order_for_no_reason_is_refused(self, house: House, reason: Any) -> None:
        with pytest.raises(ValueError, match="why the order"), transaction.atomic():
            publish(Noted(name="vase", number=1), unordered=reason)

        assert not OutboxRow.objects.exists()

    def test_an_event_says_what_it_is_to_programs_in_any_language(self, house: House) -> None:
        [event_id] = house.say(("vase", 1))
        house.relay()

        [record] = house.log()

        said = record.attributes()
        assert said["specversion"] == "1.0"
        assert (said["id"], said["type"]) == (str(event_id), "house.noted.v1")
        assert said["subject"] == said["partitionkey"] == "vase"
        assert datetime.fromisoformat(said["time"]).utcoffset() == timedelta()
        assert said["correlationid"] == said["id"]
        assert "causationid" not in said

    def test_what_a_handler_tells_names_its_cause(self, house: House) -> None:
        house.handler(call=echo)
        [cause] = house.say(("vase", 1))

        house.settle()

        said = {record.key: record.attributes() for record in house.log()}
        assert said["echo"]["causationid"] == said["echo"]["correlationid"] == str(cause)
        assert said["echo"]["traceparent"] == said["vase"]["traceparent"]

    def test_what_a_handler_tells_before_it_fails_was_never_told(self, house: House, bus_clock) -> None:
        broken = Mended("vase")

        def tell_and_fail(event: Noted) -> None:
            echo(event)
            broken(event)

        house.handler(call=tell_and_fail)
        house.say(("vase", 1))
        house.settle()
        assert house.seen() == []
        assert OutboxRow.objects.filter(key="echo").count() == 0

        broken.names.clear()
        bus_clock.advance(hours=1)
        house.settle()

        assert house.seen() == [("vase", 1), ("echo", 1)]


def echo(event: Noted) -> None:
    """Tell something because of it, once."""
    if event.name != "echo":
        publish(Noted(name="echo", number=event.number))


# Promises 1 and 3 where handlers publish: what a transaction of many events publishes is added once, at its end.

KEYS = [f"key{number}" for number in range(12)]


@pytest.mark.django_db(transaction=True)
class PublishedByHandlers:
    """Promises 1 and 3. A batch may take its time: see `InBatches.time`."""

    def test_what_a_batch_publishes_is_one_statement(self, house: House) -> None:
        house.handler(call=lambda event: publish(Sown(name=KEYS[event.number], number=event.number)))
        worker = house.worker()
        house.say(("vase", 0))
        house.relay()
        house.step(worker)
        house.say(*(("vase", number) for number in range(1, len(KEYS))))
        house.relay()

        with CaptureQueriesContext(connection) as queries:
            until(lambda: house.step(worker) == 0, "all handled")
        worker.close()

        assert len([one for one in queries.captured_queries if "INSERT INTO eventbus_outbox" in one["sql"]]) == 1
        assert sown() == [(key, number) for number, key in enumerate(KEYS)]

    def test_each_names_the_event_that_it_follows_from(self, house: House) -> None:
        house.handler(call=sow)

        ids = house.say(*((key, number) for number, key in enumerate(KEYS)))
        house.settle()

        rows = OutboxRow.objects.filter(type=Sown.wire_type()).order_by("id")
        causes = {row.key: msgspec.json.decode(row.headers)["causationid"] for row in rows}
        assert causes == dict(zip(KEYS, map(str, ids), strict=True))

    def test_a_savepoint_of_a_handler_takes_its_events_along(self, house: House) -> None:
        def sow_and_regret(event: Noted) -> None:
            sow(event)
            with suppress(Regret), transaction.atomic():
                publish(Sown(name=event.name, number=-event.number))
                raise Regret
            publish(Sown(name=event.name, number=event.number * 10))

        house.handler(call=sow_and_regret)

        house.say(("vase", 1), ("vase", 2))
        house.settle()

        assert sown() == [("vase", 1), ("vase", 10), ("vase", 2), ("vase", 20)]

    def test_a_handler_that_fails_after_publishing_has_published_nothing(self, house: House) -> None:
        broken = Mended("chair")

        def sow_or_fail(event: Noted) -> None:
            sow(event)
            broken(event)

        house.handler(call=sow_or_fail, backoff=(0.0, 0.0), attempts=3)

        house.say(("vase", 1), ("chair", 2), ("vase", 3))
        house.settle()
        assert sown() == [("vase", 1), ("vase", 3)]

        broken.names.clear()
        [letter] = house.dead()
        letter.request = "requeue"
        letter.save()
        house.settle()

        assert sown() == [("vase", 1), ("vase", 3), ("chair", 2)]

    def test_two_groups_that_publish_for_keys_in_unlike_orders_both_commit_at_once(self, house: House) -> None:
        """Each publishes for one key, waits until the other has published for its own, and publishes for that too."""
        if connection.vendor == "sqlite":
            pytest.skip("SQLite has one writer at a time")
        [one, other] = unlike_slots()
        both = threading.Barrier(2)
        tried: list[str] = []

        def crossing(group: str, first: str, second: str) -> Any:
            def sow_both(event: Noted) -> None:
                tried.append(group)
                publish(Sown(name=first, number=1))
                if tried.count(group) == 1:
                    both.wait(DEADLINE_SECONDS)
                publish(Sown(name=second, number=2))

            return sow_both

        house.handler("house-a", crossing("house-a", one, other))
        house.handler("house-b", crossing("house-b", other, one))
        house.say(("vase", 1))
        house.relay()

        with house.working("house-a"), house.working("house-b"):
            until(lambda: house.seen("house-a") and house.seen("house-b"), "both handled")

        assert sorted(tried) == ["house-a", "house-b"]
        assert sorted(sown()) == sorted([(one, 1), (one, 2), (other, 1), (other, 2)])


class Regret(Exception):
    """The handler thinks better of it."""


def sow(event: Noted) -> None:
    publish(Sown(name=event.name, number=event.number))


def sown() -> list[tuple[str, int]]:
    """What was published, in the order of the outbox."""
    return [(event.name, event.number) for event in published_events(Sown)]


def unlike_slots() -> list[str]:
    """Two keys with locks of their own, the one with the smaller first."""
    by_slot = {slots(encode([Sown(name=key, number=0)]))[0]: key for key in KEYS}
    return [by_slot[slot] for slot in sorted(by_slot)[:2]]


# Promise 1: what was committed goes to the log, what is delayed at its time, by one relay.


@pytest.mark.django_db(transaction=True)
class RelayedInOrder:
    """Promises 1 and 3."""

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

    def test_what_is_due_comes_in_the_order_of_its_times(self, house: House, bus_clock) -> None:
        house.handler()
        with transaction.atomic():
            for number, minutes in ((2, 20), (1, 10)):
                publish(Noted(name="vase", number=number), due=bus_clock.now() + timedelta(minutes=minutes))

        bus_clock.advance(minutes=30)
        house.settle()

        assert house.seen(name="vase") == [1, 2]

    def test_a_relay_writes_nothing_while_timers_only_wait(self, house: House, bus_clock) -> None:
        with transaction.atomic():
            publish(Noted(name="vase", number=1), due=bus_clock.now() + timedelta(minutes=10))

        with CaptureQueriesContext(connection) as queries:
            house.relay()

        assert {query["sql"].split()[0] for query in queries} == {"SELECT"}

    @pytest.mark.parametrize("point", ["timers.gone", "timers.commit", "timers.committed"])
    def test_a_delayed_event_comes_once_wherever_the_relay_dies(self, house: House, bus_clock, point: str) -> None:
        house.handler()
        with transaction.atomic():
            publish(Noted(name="vase", number=1), due=bus_clock.now())

        with armed(f"{point}=error"), pytest.raises(FailedHere):
            house.relay()
        house.restart()
        house.settle()

        assert house.seen(name="vase") == [1]
        assert not Timer.objects.exists()
        assert OutboxRow.objects.filter(key="vase").count() == 1, "foreign readers of the log drop no repeats"

    def test_a_delayed_event_of_a_rolled_back_transaction_never_comes(self, house: House, bus_clock) -> None:
        house.handler()
        with pytest.raises(IntegrityError), transaction.atomic():
            publish(Noted(name="vase", number=1), due=bus_clock.now())
            raise IntegrityError

        bus_clock.advance(minutes=1)
        house.settle()

        assert house.seen() == []

    def test_a_relay_that_has_lost_its_lease_appends_nothing(self, house: House) -> None:
        house.say(("vase", 1))

        with pytest.raises(LeaseLost):
            Relay(backends.current(), lost_lease()).step()

        assert not OutboxRow.objects.filter(offset__isnull=False).exists()

    def test_a_relay_that_has_lost_its_lease_publishes_nothing_that_is_due(self, house: House, bus_clock) -> None:
        with transaction.atomic():
            publish(Noted(name="vase", number=1), due=bus_clock.now())

        with pytest.raises(LeaseLost):
            Relay(backends.current(), lost_lease()).step()

        assert Timer.objects.count() == 1
        assert not OutboxRow.objects.exists()

    def test_what_the_log_rejected_keeps_nobody_waiting(self, house: House) -> None:
        house.handler()
        house.say(("vase", 1), ("chair", 1))
        OutboxRow.objects.filter(key="vase").update(rejected="too large")

        house.settle()

        assert house.seen() == [("chair", 1)]
        assert OutboxRow.objects.get(key="vase").offset is None

    def test_what_the_log_rejected_is_not_overtaken_by_later_events_of_its_key(self, house: House) -> None:
        house.handler()
        house.say(("vase", 1))
        OutboxRow.objects.update(rejected="too large")
        house.say(("vase", 2), ("chair", 1))
        house.settle()
        assert house.seen() == [("chair", 1)]

        rejected_records.resend(OutboxRow.objects.get(rejected="too large"), "Ada")
        house.say(("vase", 3))
        house.settle()

        assert house.seen(name="vase") == [1, 2, 3]

    def test_without_what_was_withdrawn_its_key_goes_on(self, house: House, bus_clock: Any) -> None:
        house.handler()
        house.say(("vase", 1))
        OutboxRow.objects.update(rejected="too large")
        house.say(("vase", 2), ("vase", 3))
        house.settle()
        assert house.seen() == []

        rejected_records.withdraw(OutboxRow.objects.get(rejected="too large"), "Ada")
        house.settle()

        assert house.seen(name="vase") == [2, 3]
        assert delivery_audit.problems(delivery_audit.read()) == []
        assert OutboxRow.objects.get(offset=None).key == "vase", "it stays to be read"
        prune_a_day_later(bus_clock)
        assert not OutboxRow.objects.filter(offset=None).exists()


def lost_lease() -> Lease:
    """A lease whose owner was held up while another took it over."""
    lease = Lease("post")
    assert lease.acquire()
    LeaseRow.objects.filter(name="post").update(owner="the next one", epoch=F("epoch") + 1)
    return lease


# Promise 1: nothing is lost, nothing is invented.


@pytest.mark.django_db(transaction=True)
class NothingLostNothingInvented:
    """Promise 1."""

    def test_what_is_committed_is_heard_by_every_group(self, house: House) -> None:
        house.handler("house-a")
        house.handler("house-b")

        house.say(("vase", 1), ("chair", 2))
        house.settle()

        assert sorted(house.seen("house-a")) == sorted(house.seen("house-b")) == [("chair", 2), ("vase", 1)]

    def test_a_process_that_dies_after_appending_loses_nothing(self, house: House) -> None:
        house.handler()
        house.say(("vase", 1))
        house.relay()

        house.restart()
        house.say(("vase", 2))
        house.settle()

        assert house.seen(name="vase") == [1, 2]

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

    def test_a_group_that_hears_of_a_new_topic_begins_there_at_its_end(self, house: House) -> None:
        house.handler()
        house.say(("vase", 1))
        sow_a_key(1)
        house.relay()

        house.handler(on=Sown)
        house.say(("vase", 2))
        sow_a_key(2)
        house.settle()

        assert sorted(house.seen()) == [("vase", 1), ("vase", 2), ("weed", 2)]


def sow_a_key(number: int) -> None:
    with transaction.atomic():
        publish(Sown(name="weed", number=number))


# Promise 1, for those who only watch: nothing is lost between the watch and what is loaded after it.


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
