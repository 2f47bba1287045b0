"""What fails for good is kept, decided in bulk, and repaired."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest
from django.db import transaction
from django.db.models import F

from eventbus import Event, Permanent, handles, publish, registry
from eventbus.audit import delivery_audit
from eventbus.consuming import ignored_types
from eventbus.consuming.due_work import PARKED_AT_ONCE
from eventbus.database.storable_text import ERROR_CHARACTERS_MAX
from eventbus.failures import dead_letter_requests
from eventbus.ids import uuid7
from eventbus.models import DeadLetter, IgnoredType, OperatorAction, OutboxRow, ParkedEvent, ParkedKey, Progress
from eventbus.operations import status
from eventbus.operations.pruning import Pruning
from eventbus.repairs import dead_letters
from tests.eventbus.bus_app import House, Mended, Noted, Unknown, elsewhere
from tests.eventbus.busy_site import KEEP, many, places, prune_a_day_later
from tests.eventbus.database_obstacles import contention_at, refusing_dead_letters
from tests.eventbus.test_commands import run

# Promise 4: what fails for good is kept with all one needs, until an operator decides.


@pytest.mark.django_db(transaction=True)
class KeptForOperators:
    """Promise 4."""

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

    def test_a_long_error_keeps_its_ends(self, house: House) -> None:
        house.handler(call=Mended("vase", error=Permanent(f"first {'x' * 10 * ERROR_CHARACTERS_MAX} last")))
        house.say(("vase", 1))

        house.settle()

        [letter] = house.dead()
        assert len(letter.error) <= ERROR_CHARACTERS_MAX
        assert (letter.error[:5], letter.error[-4:]) == ("first", "last")

    @pytest.mark.parametrize("attempts", [1, 2], ids=["at once", "after a retry"])
    def test_a_dead_letter_that_meets_another_writer_tells_all_the_same(
        self, house: House, bus_clock, attempts: int
    ) -> None:
        house.handler(call=Mended("vase"), attempts=attempts)
        house.say(("vase", 1), ("vase", 2))
        with contention_at('INSERT INTO "eventbus_deadletter"'):
            for _ in range(attempts):
                house.settle()
                bus_clock.advance(hours=1)

        [letter] = house.dead()

        assert (letter.error, letter.attempts) == ("broken", attempts)
        assert "raise self.error" in letter.traceback
        assert ParkedKey.objects.get().state == ParkedKey.State.DEAD
        assert house.waiting() == [2]

    @pytest.mark.misfits
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

    def test_the_offset_waits_when_the_dead_letter_cannot_be_written(self, house: House) -> None:
        house.handler(call=Mended("vase"), attempts=1)
        house.say(("vase", 1))
        before = house.offset()

        with refusing_dead_letters(), pytest.raises(Exception, match="refused"):
            house.settle()
        assert house.offset() == before

        house.restart()
        house.settle()
        assert len(house.dead()) == 1
        assert house.offset() == before + 1

    def test_where_the_error_cannot_be_written_the_dead_letter_is_written_without(self, house: House) -> None:
        house.handler(call=Mended("vase"), attempts=1)
        house.say(("vase", 1))

        with refusing_dead_letters(that="NEW.error <> ''"):
            house.settle()

        [letter] = house.dead()
        assert (letter.error_class, letter.error) == ("ValueError", "")
        assert bytes(letter.payload) == b'{"name":"vase","number":1}'

    def test_an_operators_wish_waits_for_the_worker(self, house: House) -> None:
        broken = Mended("vase", error=Permanent("poison"))
        house.handler(call=broken)
        house.say(("vase", 1))
        house.settle()
        broken.names.clear()

        status.request_requeue(house.dead()[0], "ada")
        assert (house.seen(), house.parked(), len(house.dead())) == ([], ["vase"], 1)

        house.settle()
        assert (house.seen(), house.parked(), house.dead()) == ([("vase", 1)], [], [])

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

    def test_a_discard_that_meets_another_writer_stays_a_discard(self, house: House) -> None:
        broken = Mended("vase", error=Permanent("poison"))
        house.handler(call=broken)
        house.say(("vase", 1), ("vase", 2))
        house.settle()
        broken.names.clear()

        DeadLetter.objects.update(request="discard")
        with contention_at("INSERT INTO eventbus_inbox"):  # when the letter has been changed
            house.settle()

        assert house.seen(name="vase") == [2]
        assert [letter.state for letter in house.dead()] == [DeadLetter.State.DISCARDED]
        assert Progress.objects.filter(discarded=1).count() == 1

    @pytest.mark.parametrize("action", ["discard", "requeue"])
    def test_what_stood_aside_frees_no_key_that_waits_for_another(self, house: House, action: str) -> None:
        house.handler(call=Mended("vase", error=Permanent("poison")))
        aside = Mended("vase", error=Permanent("poison"))
        handles(Unknown, group="house-a", on_dead="skip")(aside)
        with transaction.atomic():
            publish(Unknown(name="vase"), Noted(name="vase", number=1), Noted(name="vase", number=2))
        house.settle()
        aside.names.clear()

        DeadLetter.objects.filter(parks=False).update(request=action)
        house.settle()

        assert ParkedKey.objects.get().state == ParkedKey.State.DEAD
        assert len([letter for letter in house.dead() if letter.parks]) == 1

    def test_requests_for_others_partitions_keep_none_of_ours_waiting(self, house: House, bus_clock) -> None:
        broken = Mended("vase", error=Permanent("poison"))
        house.handler(call=broken)
        house.say(("vase", 1))
        house.settle()
        broken.names.clear()
        [ours] = house.dead()
        others = [_letter_elsewhere(ours, number) for number in range(PARKED_AT_ONCE)]
        ours.delete()
        DeadLetter.objects.bulk_create([*others, ours])  # ours is the last

        DeadLetter.objects.update(request="requeue")
        house.settle(raise_errors=True)

        assert house.seen(name="vase") == [1]
        assert len(house.dead()) == PARKED_AT_ONCE


def _letter_elsewhere(letter: DeadLetter, number: int) -> DeadLetter:
    return DeadLetter(
        **elsewhere(number),
        **{name: getattr(letter, name) for name in ("type", "payload", "headers", "parks", "attempts", "error_class")},
        event_id=uuid7(),
        offset=number,
        died_at=letter.died_at,
    )


# Promise 4, by the thousand: what an operator decides about many dead letters at once, and how it is undone.

MANY = 30  # bad events of one key


def discard_all(*more: str) -> int:
    """Discards the vase with all that waits behind it; the number of the decision."""
    line = ("eventbus", "discard", "--key", "vase", "--with-parked", "--expect", str(MANY), "--json", *more)
    code, said, complaint = run(*line)
    assert code == 0, complaint
    return int(json.loads(said)["decision"])


@pytest.mark.django_db(transaction=True)
class DecidedInBulk:
    @pytest.fixture
    def broken(self, house: House, monkeypatch: pytest.MonkeyPatch) -> Mended:
        """The vase's first event died, and the others wait behind it: more than are discarded in one transaction."""
        monkeypatch.setattr(dead_letter_requests, "DISCARDED_AT_ONCE", MANY // 4)
        broken = Mended("vase", error=Permanent("poison"))
        house.handler("house-a", broken)
        house.say(*many("vase", MANY), ("chair", 1))
        house.settle()
        assert places() == {"handled": 1, "dead": 1, "parked": MANY - 1}
        return broken

    def test_a_key_is_discarded_with_all_that_waits_behind_it(self, house: House, broken: Mended) -> None:
        discard_all()
        house.settle()
        broken.names.clear()
        house.say(("vase", 100))
        house.settle()

        assert house.seen(name="vase") == [100]
        assert places() == {"handled": 2, "discarded": MANY}
        assert house.parked() == []

    def test_a_key_is_requeued_and_all_that_waits_is_handled_in_order(self, house: House, broken: Mended) -> None:
        broken.names.clear()

        run("eventbus", "requeue", "--key", "vase")
        house.settle()

        assert house.seen(name="vase") == list(range(1, MANY + 1))

    def test_what_falls_in_behind_after_the_operator_has_looked_is_not_discarded(
        self, house: House, broken: Mended
    ) -> None:
        [letter] = house.dead()
        count, last = dead_letters.behind([letter.pk])
        house.say(("vase", 100))
        house.settle()
        broken.names.clear()

        dead_letters.decide([letter.pk], DeadLetter.Request.DISCARD, "ada", through=last)
        house.settle()

        assert count == MANY - 1
        assert house.seen(name="vase") == [100]

    def test_another_number_than_the_operator_saw_is_refused(self, house: House, broken: Mended) -> None:
        house.say(("vase", 100))
        house.settle()

        line = ("eventbus", "discard", "--key", "vase", "--with-parked", "--expect", str(MANY))
        code, _, complaint = run(*line)
        house.settle()

        assert code == 1
        assert f"{MANY + 1} in all, and not {MANY}" in complaint
        assert places() == {"handled": 1, "dead": 1, "parked": MANY}

    def test_without_a_word_nothing_is_discarded_in_bulk(self, house: House, broken: Mended) -> None:
        code, _, complaint = run("eventbus", "discard", "--all")

        assert (code, "--expect 1" in complaint) == (2, True)
        assert not OperatorAction.objects.exists()

    def test_a_discard_is_undone_and_all_can_be_handled(self, house: House, broken: Mended) -> None:
        before = [(letter.pk, letter.error, bytes(letter.payload)) for letter in house.dead()]
        waiting = house.waiting()
        decision = discard_all()
        house.settle()

        assert run("eventbus", "undo", "--decision", str(decision))[0] == 0
        house.settle()

        assert [(letter.pk, letter.error, bytes(letter.payload)) for letter in house.dead()] == before
        assert house.waiting() == waiting
        assert places() == {"handled": 1, "dead": 1, "parked": MANY - 1}
        broken.names.clear()
        run("eventbus", "requeue", "--all")
        house.settle()
        assert house.seen(name="vase") == list(range(1, MANY + 1))
        assert places() == {"handled": MANY + 1}

    def test_what_came_meanwhile_stays_handled_when_a_discard_is_undone(self, house: House, broken: Mended) -> None:
        decision = discard_all()
        house.settle()
        broken.names.clear()
        house.say(("vase", 100))
        house.settle()

        run("eventbus", "undo", "--decision", str(decision))
        house.settle()
        assert house.seen(name="vase") == [100]
        run("eventbus", "requeue", "--all")
        house.settle()

        assert house.seen(name="vase") == [100, *range(1, MANY + 1)]

    def test_a_letter_comes_back_beside_one_that_its_key_waits_for_meanwhile(
        self, house: House, broken: Mended
    ) -> None:
        [first] = house.dead()
        run("eventbus", "discard", str(first.pk))
        house.settle()
        [_, second] = house.dead()

        run("eventbus", "undo", str(first.pk))
        house.settle()
        assert [letter.parks for letter in house.dead()] == [False, True]
        broken.names.clear()
        run("eventbus", "requeue", str(first.pk))
        house.settle()
        assert house.seen(name="vase") == []
        run("eventbus", "requeue", str(second.pk))
        house.settle()

        assert sorted(house.seen(name="vase")) == list(range(1, MANY + 1))
        assert places() == {"handled": MANY + 1}

    def test_an_undone_discard_counts_for_nothing_when_it_is_discarded_again(
        self, house: House, broken: Mended
    ) -> None:
        for _ in range(2):
            decision = discard_all()
            house.settle()
            run("eventbus", "undo", "--decision", str(decision))
            house.settle()
        discard_all()
        house.settle()

        assert places() == {"handled": 1, "discarded": MANY}

    def test_those_that_stood_aside_are_discarded_and_restored_all_at_once(self, house: House) -> None:
        broken = Mended("vase", error=Permanent("poison"))
        house.handler("house-a", broken, on_dead="skip")
        house.say(*many("vase", MANY))
        house.settle()

        _, said, _ = run("eventbus", "discard", "--all", "--expect", str(MANY), "--json")
        house.settle()
        assert places() == {"discarded": MANY}
        run("eventbus", "undo", "--decision", str(json.loads(said)["decision"]))
        house.settle()
        assert places() == {"skipped": MANY}
        broken.names.clear()
        run("eventbus", "requeue", "--all")
        house.settle()

        assert sorted(house.seen(name="vase")) == list(range(1, MANY + 1))

    def test_each_event_of_a_decision_is_in_the_trail(self, house: House) -> None:
        house.handler("house-a", Mended("vase", error=Permanent("poison")), on_dead="skip")
        house.say(*many("vase", 3))
        house.settle()

        run("eventbus", "discard", "--all", "--expect", "3")

        actions = OperatorAction.objects.order_by("id")
        assert {action.decision for action in actions} == {actions[0].pk}
        assert [action.event_id for action in actions] == [letter.event_id for letter in house.dead()]

    def test_a_discard_can_be_undone_for_a_week_and_is_pruned_then(
        self, house: House, broken: Mended, bus_clock
    ) -> None:
        decision = discard_all()
        house.settle()

        bus_clock.advance(days=dead_letters.UNDO_DAYS - 1, hours=1)
        Pruning(KEEP).go()
        assert DeadLetter.objects.count() == MANY
        assert OutboxRow.objects.filter(key="vase").count() == MANY

        prune_a_day_later(bus_clock)
        code, _, complaint = run("eventbus", "undo", "--decision", str(decision))
        assert (code, "Nothing to restore" in complaint) == (1, True)
        assert DeadLetter.objects.count() <= 1  # the newest event of a partition stays
        assert delivery_audit.problems(delivery_audit.read()) == []

    def test_what_was_asked_back_in_time_is_not_pruned_before_a_worker_comes_to_it(
        self, house: House, broken: Mended, bus_clock
    ) -> None:
        decision = discard_all()
        house.settle()
        bus_clock.advance(days=dead_letters.UNDO_DAYS - 1, hours=1)
        assert run("eventbus", "undo", "--decision", str(decision))[0] == 0
        prune_a_day_later(bus_clock)
        house.settle()
        assert places() == {"handled": 1, "dead": 1, "parked": MANY - 1}

    def test_what_came_from_elsewhere_and_was_discarded_is_pruned_after_a_week(
        self, house: House, broken: Mended, bus_clock
    ) -> None:
        discard_all()
        house.settle()
        OutboxRow.objects.filter(key="vase").delete()
        DeadLetter.objects.update(headers="{}")

        bus_clock.advance(days=dead_letters.UNDO_DAYS, hours=1)
        pruned = Pruning(timedelta(hours=1)).go()

        assert pruned.dead_letters == MANY
        assert not DeadLetter.objects.exists()

    def test_after_a_week_a_letter_says_why_it_is_not_restored(self, house: House, broken: Mended, bus_clock) -> None:
        discard_all()
        house.settle()
        bus_clock.advance(days=dead_letters.UNDO_DAYS, hours=1)

        code, _, complaint = run("eventbus", "undo", str(house.dead()[0].pk))

        assert (code, "more than 7 days ago" in complaint) == (1, True)

    def test_a_death_while_many_are_discarded_loses_none(self, house: House, broken: Mended) -> None:
        discard_all()
        worker = house.worker("house-a")
        house.step(worker)  # some of them
        worker.leave()
        assert 0 < DeadLetter.objects.filter(behind=True).count() < MANY

        house.restart()
        house.settle()

        assert places() == {"handled": 1, "discarded": MANY}
        assert not ParkedEvent.objects.exists()
        assert not ParkedKey.objects.exists()

    def test_each_dead_letter_is_an_error_and_many_failures_alike_are_one_warning(
        self, house: House, caplog: pytest.LogCaptureFixture
    ) -> None:
        house.handler("house-a", Mended("vase", error=Permanent("card 4242")), on_dead="skip")
        house.say(*many("vase", MANY))

        house.settle()

        errors = [record for record in caplog.records if record.levelno == logging.ERROR]
        warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
        assert len(errors) == MANY
        assert [record.exc_info is not None for record in warnings] == [True]
        assert {str(letter.event_id) for letter in house.dead()} == {
            record.args[2] and str(record.args[2]) for record in errors
        }
        assert not any("4242" in record.getMessage() or "\n" in record.getMessage() for record in errors)

    def test_failures_of_two_kinds_are_two_tracebacks(self, house: House, caplog: pytest.LogCaptureFixture) -> None:
        errors = iter([ValueError("one"), KeyError("two"), ValueError("three")])

        def fail(event: Noted) -> None:
            raise next(errors)

        house.handler("house-a", fail, attempts=1, batch=1)
        with transaction.atomic():
            publish(*(Noted(name=name, number=1) for name in ("vase", "chair", "lamp")))

        house.settle()

        told = [record.getMessage().rpartition(" ")[2] for record in caplog.records if record.exc_info]
        assert sorted(told) == ["KeyError", "ValueError"]

    def test_a_requeue_waits_for_an_earlier_decision(self, house: House, broken: Mended) -> None:
        discard_all()

        code, _, complaint = run("eventbus", "requeue", str(house.dead()[0].pk))

        assert (code, "earlier request" in complaint) == (1, True)

    def test_what_is_open_cannot_be_restored(self, house: House, broken: Mended) -> None:
        code, _, complaint = run("eventbus", "undo", str(house.dead()[0].pk))

        assert (code, "was not discarded" in complaint) == (1, True)


# What an operator repairs is handled, says the handlers' own record; or it stays lost by name.

NEW = "house.gifted.v1"  # a type that the house's release does not know


@contextmanager
def release_that_knows(wire_type: str) -> Iterator[None]:
    """The next release: its code has the type, whether or not a group handles it."""
    ignored_types._known.add(wire_type)
    try:
        yield
    finally:
        ignored_types._known.discard(wire_type)


def give(house: House, *names: str) -> None:
    """A newer release of a publisher tells of something that the house does not know."""
    with transaction.atomic():
        ids = publish(*(Unknown(name=name) for name in names))
    rows = OutboxRow.objects.filter(event_id__in=ids)
    for row in rows:
        OutboxRow.objects.filter(pk=row.pk).update(type=NEW, headers=row.headers.replace(Unknown.wire_type(), NEW))


def learn(house: House, event_type: type[Event], wire_type: str, group: str = "house-a") -> None:
    """The group's next release handles it."""
    handles(event_type, group=group)(lambda event: house.write(group, Noted(name=event.name, number=0)))  # type: ignore[attr-defined]
    handlers = registry.groups[group].handlers
    handlers[wire_type] = handlers.pop(event_type.wire_type())
    house.restart()


def pass_over(*names: str) -> None:
    """Move the offsets behind what was told of these keys, as somebody might who repairs a table by hand."""
    for name in names:
        last = OutboxRow.objects.filter(key=name, offset__isnull=False).order_by("-offset")[0]
        rows = Progress.objects.filter(topic=last.topic, partition=last.partition, offset__lte=last.offset)
        rows.update(offset=last.offset + 1, epoch=F("epoch") + 1)


def lost() -> int:
    return sum(one.count for one in delivery_audit.read().violations if one.what == delivery_audit.LOST)


@pytest.mark.django_db(transaction=True)
class WhatIsRepairedIsHandled:
    """Promise 1 and promise 8."""

    def test_what_is_lost_is_redelivered_and_handled(self, house: House) -> None:
        house.handler("house-a")
        house.say(*many("vase", 3), ("chair", 1))
        house.relay()
        pass_over("vase")
        house.restart()
        house.settle()
        assert (house.seen(name="vase"), lost()) == ([], 3)

        assert run("eventbus", "redeliver", "house-a", "--lost")[0] == 0
        house.settle()

        assert house.seen(name="vase") == [1, 2, 3]
        assert house.seen(name="chair") == [1]
        assert places() == {"handled": 4}
        [action] = OperatorAction.objects.filter(action="redeliver")
        assert "3 house.noted.v1" in action.error

    def test_a_dry_run_counts_what_is_lost_and_it_stays_lost(self, house: House) -> None:
        house.handler("house-a")
        house.say(*many("vase", 3))
        house.relay()
        pass_over("vase")
        house.restart()

        _, said, _ = run("eventbus", "redeliver", "house-a", "--lost", "--dry-run", "--json")
        house.settle()

        assert json.loads(said)["types"] == {Noted.wire_type(): 3}
        assert (house.seen(), lost()) == ([], 3)
        assert not OperatorAction.objects.exists()

    def test_what_is_redelivered_waits_behind_what_waits_for_its_key(self, house: House) -> None:
        broken = Mended("vase", error=Permanent("poison"))
        house.handler("house-a", broken)
        house.say(("vase", 1))
        house.relay()
        pass_over("vase")
        house.restart()
        house.say(("vase", 2), ("vase", 3))
        house.settle()

        run("eventbus", "redeliver", "house-a", "--lost")
        house.settle()
        assert (house.waiting(), len(house.dead())) == ([3, 1], 1)

        broken.names.clear()
        run("eventbus", "requeue", "--all")
        house.settle()
        assert house.seen(name="vase") == [2, 3, 1]
        assert places() == {"handled": 3}

    def test_what_a_group_handled_is_redelivered_to_nobody(self, house: House) -> None:
        house.handler("house-a")
        house.say(*many("vase", 3))
        house.settle()

        code, _, complaint = run("eventbus", "redeliver", "house-a", "--lost")
        house.settle()

        assert (code, house.seen(name="vase")) == (1, [1, 2, 3])
        assert "nothing" in complaint

    def test_what_a_release_did_not_know_is_counted_shown_and_handled_by_the_next(self, house: House) -> None:
        house.handler("house-a")
        give(house, "vase", "vase", "chair")
        house.say(("vase", 1))
        house.settle()
        [found] = status.status().ignored_types
        assert (found.group, found.type, found.events, found.handles) == ("house-a", NEW, 3, False)
        assert "Deploy the release that handles them" in found.remedy

        with release_that_knows(NEW):
            learn(house, Unknown, NEW)
            [found] = status.status().ignored_types
            assert f"Group house-a ignored 3 events of {NEW}" in str(found)
            assert f"To have them handled: manage.py eventbus redeliver house-a --type {NEW}" in str(found)
            assert str(found) in status.problems(status.status(), dispatches=True)
            assert run("eventbus", "redeliver", "house-a", "--type", NEW)[0] == 0
            house.settle()

        assert house.seen(name="vase") == [1, 0, 0]
        assert house.seen(name="chair") == [0]
        assert places() == {"handled": 4}
        assert status.status().ignored_types == []

    def test_a_type_that_a_group_leaves_to_others_is_no_matter_for_it(self, house: House) -> None:
        house.handler("house-a")
        give(house, "vase")
        house.settle()

        with release_that_knows(NEW):
            assert status.status().ignored_types == []

    def test_what_was_known_and_not_handled_is_shown_once_there_is_a_handler(self, house: House) -> None:
        house.handler("house-a")
        with transaction.atomic():
            publish(Unknown(name="vase"), Unknown(name="chair"))
        house.settle()
        assert delivery_audit.read().earlier == []

        learn(house, Unknown, Unknown.wire_type())

        [earlier] = delivery_audit.read().earlier
        assert (earlier.group, earlier.type, earlier.events) == ("house-a", Unknown.wire_type(), 2)
        assert places() == {"ignored": 2}
        assert f"redeliver house-a --type {Unknown.wire_type()}" in run("eventbus", "status")[1]
        run("eventbus", "redeliver", "house-a", "--type", Unknown.wire_type())
        house.settle()
        assert (house.seen(name="vase"), places()) == ([0], {"handled": 2})

    def test_an_operator_who_says_that_they_need_not_be_handled_is_told_no_more(self, house: House) -> None:
        house.handler("house-a")
        give(house, "vase")
        house.settle()

        assert run("eventbus", "redeliver", "house-a", "--type", NEW, "--dismiss")[0] == 0

        assert not IgnoredType.objects.exists()
        assert OperatorAction.objects.get().error == f"1 {NEW}"
        assert (house.seen(), places()) == ([], {"ignored": 1})

    def test_a_parked_event_that_an_older_release_lets_go_is_counted_too(self, house: House, bus_clock) -> None:
        """The newer one was rolled back while its event waited for another attempt."""
        house.handler("house-a", Mended("vase"))
        house.say(("vase", 1))
        house.settle()
        for table in (ParkedEvent, OutboxRow):
            table.objects.update(type=NEW)

        bus_clock.advance(hours=1)
        house.settle()

        assert (house.seen(), house.parked()) == ([], [])
        assert [(one.type, one.events) for one in status.status().ignored_types] == [(NEW, 1)]
