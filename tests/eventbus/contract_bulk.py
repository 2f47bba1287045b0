"""Promise 4, by the thousand: what an operator decides about many dead letters at once, and how it is undone."""

import json
import logging
from datetime import timedelta

import pytest
from django.db import transaction

from eventbus import Permanent, publish
from eventbus.audit import delivery_audit
from eventbus.failures import dead_letter_requests
from eventbus.models import DeadLetter, OperatorAction, OutboxRow, ParkedEvent, ParkedKey
from eventbus.operations.pruning import Pruning
from eventbus.repairs import dead_letters
from tests.eventbus.bus_app import House, Mended, Noted
from tests.eventbus.busy_site import KEEP, many, places, prune_a_day_later
from tests.eventbus.test_commands import run

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
