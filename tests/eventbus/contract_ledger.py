"""Promise 8: every event lies in exactly one place, and what is written in two places agrees."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.db import connections, transaction
from django.db.models import F

from eventbus import Permanent, clock, handles, ledger, publish, registry
from eventbus.dispatcher import Dispatcher
from eventbus.ledger import Account, Violation
from eventbus.models import DeadLetter, InboxRow, OutboxRow, ParkedEvent, Progress
from tests.eventbus.house import House, Mended, Noted, Unknown

READS_MIN = 30  # of the ledger while the site is busy: far more than one that is not exact would survive
WRITERS = 2
TRANSACTIONS = 25  # of each writer: some seconds of work on a busy machine
PLACES = ("handled", "ignored", "skipped", "discarded", "dead", "parked", "pending")


def account(group: str = "house-a") -> Account:
    [found] = [one for one in ledger.read().accounts if one.group == group]
    return found


def places(group: str = "house-a") -> dict[str, int]:
    """Where the group's events lie, the empty places left out. It must balance."""
    found = ledger.read()
    assert ledger.problems(found) == []
    [one] = [one for one in found.accounts if one.group == group]
    counted = {name: getattr(one, name) for name in PLACES}
    assert one.published == sum(counted.values())
    return {name: count for name, count in counted.items() if count}


def violation() -> Violation:
    [found] = ledger.read().violations
    return found


def noise(house: House) -> None:
    """A group whose handler fails for each key that begins with x, and forgives the second time; p is poison."""
    failed: set[int] = set()

    def handle(event: Noted) -> None:
        if event.name.startswith("p"):
            raise Permanent("poison")
        if event.name.startswith("x") and event.number not in failed:
            failed.add(event.number)
            raise ValueError("not the first time")

    house.handler("house-a", handle, backoff=(0.0, 0.0))
    house.handler("house-b", handle, backoff=(0.0, 0.0), on_dead="skip")


@contextlib.contextmanager
def threads(*jobs: Callable[[], None]) -> Iterator[Callable[[], bool]]:
    """Run these beside the test; what it yields says whether one still runs. Their errors are raised at the end."""
    errors: list[BaseException] = []

    def run(job: Callable[[], None]) -> None:
        try:
            job()
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    running = [threading.Thread(target=run, args=[job]) for job in jobs]
    for thread in running:
        thread.start()
    try:
        yield lambda: any(thread.is_alive() for thread in running)
    finally:
        for thread in running:
            thread.join()
    assert not errors, errors


def writer(number: int) -> Callable[[], None]:
    def write() -> None:
        for turn in range(TRANSACTIONS):
            with transaction.atomic():
                names = [f"{kind}{number}-{turn % 7}" for kind in "vxv"] + ([f"p{turn}"] if turn % 5 == 0 else [])
                publish(*(Noted(name=name, number=number * TRANSACTIONS + turn) for name in names), Unknown(name="u"))

    return write


def decide_about_the_dead() -> None:
    """Requeue or discard whatever died, in turns."""
    wishes = ["requeue", "discard"] * 20
    for wish in wishes:
        DeadLetter.objects.filter(state="open", request="").update(request=wish)
        threading.Event().wait(0.02)  # an operator is no faster


@pytest.mark.django_db(transaction=True)
class OnePlaceEach:
    """Promise 8."""

    def test_each_event_is_counted_in_its_place(self, house: House) -> None:
        broken = Mended("vase", error=Permanent("poison"))
        house.handler("house-a", broken)
        house.handler("house-b", broken, on_dead="skip")
        with transaction.atomic():
            publish(Unknown(name="chair"))
        house.say(("chair", 1), ("vase", 1), ("vase", 2), ("bowl", 1))
        house.settle()

        assert places() == {"handled": 2, "ignored": 1, "dead": 1, "parked": 1}
        assert places("house-b") == {"handled": 2, "ignored": 1, "skipped": 2}

    def test_what_waits_for_its_turn_is_pending_before_and_after_the_relay(self, house: House) -> None:
        house.handler()
        house.say(("chair", 1))
        house.settle()
        house.say(("chair", 2), ("vase", 2))
        assert places() == {"handled": 1, "pending": 2}

        house.relay()

        assert places() == {"handled": 1, "pending": 2}

    def test_a_timer_counts_once_it_is_due(self, house: House, bus_clock) -> None:
        house.handler()
        with transaction.atomic():
            publish(Noted(name="vase", number=1), due=clock.now() + timedelta(hours=1))
        assert places() == {}

        bus_clock.advance(hours=1)
        house.settle()

        assert places() == {"handled": 1}

    def test_what_the_log_refused_is_counted_apart(self, house: House) -> None:
        house.handler()
        house.say(("vase", 1), ("chair", 1))
        OutboxRow.objects.filter(key="vase").update(refused="too large")
        house.settle()

        assert places() == {"handled": 1}
        assert ledger.read().refused == {"house": 1}

    def test_what_was_said_before_a_group_began_is_not_its_own(self, house: House) -> None:
        house.handler("house-a")
        house.say(("vase", 1))
        house.settle()

        house.handler("house-b")
        house.say(("vase", 2))
        house.restart()
        house.settle()

        assert (places("house-a"), places("house-b")) == ({"handled": 2}, {"handled": 1})

    def test_an_event_that_fails_moves_from_place_to_place_and_lies_in_one(self, house: House, bus_clock) -> None:
        broken = Mended("vase")
        house.handler(call=broken, attempts=2)
        house.say(("vase", 1), ("vase", 2))
        house.settle()
        assert places() == {"parked": 2}

        bus_clock.advance(hours=1)
        house.settle()
        assert places() == {"dead": 1, "parked": 1}

        DeadLetter.objects.update(request="requeue")
        assert places() == {"dead": 1, "parked": 1}
        broken.names.clear()
        house.settle()
        assert places() == {"handled": 2}

    def test_what_is_discarded_is_not_handled_too(self, house: House) -> None:
        house.handler(call=Mended("vase", error=Permanent("poison")))
        house.say(("vase", 1), ("chair", 1))
        house.settle()

        DeadLetter.objects.update(request="discard")
        house.settle()

        assert places() == {"handled": 1, "discarded": 1}

    def test_what_cannot_be_decoded_is_among_the_dead_and_told(self, house: House) -> None:
        house.handler(call=Mended("chair", error=Permanent("poison")))
        house.say(("vase", 1), ("chair", 1))
        OutboxRow.objects.filter(key="vase").update(payload=b"\xff")
        house.settle()

        assert places() == {"dead": 2}
        assert account().undecodable == 1

    def test_a_replay_counts_nothing_twice(self, house: House) -> None:
        house.handler()
        house.say(("vase", 1))
        house.settle()
        row = InboxRow.objects.get()
        row.pk, row.replay = None, 7
        row.save()

        assert places() == {"handled": 1}
        assert ledger.read().replayed == {"house-a": 1}

    def test_a_release_that_learns_a_type_once_ignored_has_lost_nothing(self, house: House) -> None:
        house.handler()
        with transaction.atomic():
            publish(Unknown(name="chair"))
        house.settle()

        handles(Unknown, group="house-a")(lambda event: None)
        house.restart()
        house.settle()

        assert places() == {"ignored": 1}

    def test_it_balances_while_the_site_is_busy(self, house: House) -> None:
        noise(house)
        reads = 0
        with (
            contextlib.closing(Dispatcher.start_in_process()),
            threads(*map(writer, range(WRITERS)), decide_about_the_dead) as busy,
        ):
            while busy() or reads < READS_MIN:
                assert ledger.problems(ledger.read()) == []
                reads += 1
        house.settle()
        assert ledger.problems(ledger.read()) == []

        found = account()
        assert found.pending == 0
        assert found.published == WRITERS * TRANSACTIONS * 4 + WRITERS * TRANSACTIONS // 5
        assert found.ignored == WRITERS * TRANSACTIONS
        assert found.handled >= WRITERS * TRANSACTIONS * 2

    # --- what it must find -----------------------------------------------------------------------------------------

    def test_an_event_in_two_places_is_named(self, house: House) -> None:
        house.handler(call=Mended("vase"))
        house.say(("vase", 1), ("chair", 1))
        house.settle()
        parked = ParkedEvent.objects.get()

        InboxRow.objects.create(group="house-a", event_id=parked.event_id, handled_at=clock.now())
        Progress.objects.filter(group="house-a", partition=parked.partition).update(handled=F("handled") + 1)

        assert violation().what == "in two places (handled and parked)"
        assert violation().event_ids == [parked.event_id]
        assert account().balance == -1

    def test_an_event_that_was_never_handled_nor_ignored_is_lost(self, house: House) -> None:
        house.handler()
        with transaction.atomic():
            publish(Unknown(name="vase"))
        [lost] = house.say(("vase", 1))
        house.relay()

        _pass_over("vase", ignored=1)

        assert violation().what == "lost (passed, and nowhere)"
        assert (violation().count, violation().event_ids[0]) == (1, lost)
        assert account().balance == 1

    def test_an_event_whose_row_was_lost_is_named(self, house: House) -> None:
        house.handler()
        [lost] = house.say(("vase", 1))
        house.settle()

        InboxRow.objects.all().delete()

        whats = {one.what for one in ledger.read().violations}
        assert whats == {
            "lost (passed, and nowhere)",
            "handled differs (the counter says 1, the rows say 0)",
        }
        assert str(lost) in ledger.problems(ledger.read())[0]

    def test_a_position_moved_forward_is_named(self, house: House) -> None:
        house.handler()
        house.say(("vase", 1))
        house.relay()

        _pass_over("vase", ignored=0)

        assert violation().what == "lost (passed, and nowhere)"

    def test_a_position_moved_back_is_named(self, house: House) -> None:
        house.handler()
        [again] = house.say(("vase", 1))
        house.settle()

        house.rewind()

        assert "handled, and still to come" in violation().what
        assert violation().event_ids == [again]

    @pytest.mark.parametrize("counter", ["handled", "ignored", "discarded"])
    def test_a_counter_that_says_something_else_than_the_rows_is_named(self, house: House, counter: str) -> None:
        house.handler()
        house.say(("vase", 1))
        house.settle()

        Progress.objects.filter(group="house-a", partition=0).update(**{counter: F(counter) + 2})

        assert violation().what.startswith(f"{counter} differs")
        assert violation().count == 2

    def test_a_parked_event_that_was_taken_from_the_outbox_is_named(self, house: House) -> None:
        house.handler(call=Mended("vase"))
        [event_id] = house.say(("vase", 1))
        house.settle()

        OutboxRow.objects.all().delete()

        assert violation().what == "parked, and gone from the outbox"
        assert violation().event_ids == [event_id]


def _pass_over(key: str, *, ignored: int) -> None:
    """Move the position to the partition's end, as a fault would, and count so many as ignored."""
    last = OutboxRow.objects.filter(key=key).order_by("-position")[0]
    rows = Progress.objects.filter(group__in=registry.groups, topic=last.topic, partition=last.partition)
    rows.update(position=last.position + 1, ignored=ignored)
