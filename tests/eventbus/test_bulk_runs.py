"""A bulk run touches exactly the letters that were shown, goes on after a crash, and a discard is undone once."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from eventbus import Permanent, clock, failpoints
from eventbus.failpoints import FailedHere
from eventbus.models import BulkRun, DeadLetter, OperatorAction
from eventbus.repairs import dead_letters
from eventbus.selections import bulk_runs
from eventbus.selections.bulk_runs import RunRefused
from eventbus.selections.failure_groups import FailureGroup, failure_groups
from tests.eventbus.bus_app import House, Mended, open_house
from tests.eventbus.busy_site import many, places

SHOWN, MORE = 25, 5
Action = BulkRun.Action


@pytest.fixture
def house(db: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setattr(bulk_runs, "LETTERS_AT_ONCE", 10)
    with open_house() as house:
        yield house


@pytest.fixture
def broken(house: House) -> Mended:
    broken = Mended("vase", error=Permanent("poison"))
    house.handler(call=broken, on_dead="skip")
    house.say(*many("vase", SHOWN))
    house.settle()
    return broken


def cause() -> FailureGroup:
    [found] = failure_groups()
    return found


def freeze(action: BulkRun.Action, who: str = "ada") -> BulkRun:
    found = cause()
    return bulk_runs.freeze(found, action, bulk_runs.shown_ids(found.cause), who)


def run_all(run: BulkRun) -> BulkRun:
    while bulk_runs.is_due():
        bulk_runs.step()
    run.refresh_from_db()
    return run


def say_more(house: House) -> None:
    house.say(*(("vase", number) for number in range(1_000, 1_000 + MORE)))
    house.settle()


def test_those_that_come_in_meanwhile_are_left_alone(house: House, broken: Mended) -> None:
    shown = bulk_runs.shown_ids(cause().cause)
    say_more(house)
    run = bulk_runs.freeze(cause(), Action.REQUEUE, shown, "ada")
    assert run.total == SHOWN
    broken.names.clear()

    bulk_runs.begin(run, "ada")
    house.settle()  # no step yet
    assert house.seen() == []
    run_all(run)
    house.settle()

    assert house.seen(name="vase") == sorted(house.seen(name="vase")) == [n for _, n in many("vase", SHOWN)]
    assert places() == {"handled": SHOWN, "skipped": MORE}
    assert (run.state, run.asked, run.refused) == ("done", SHOWN, 0)
    assert bulk_runs.progress(run).done == SHOWN


@pytest.mark.parametrize("place", ["request.commit=error@2", "request.committed=error@2"])
def test_a_run_that_was_stopped_in_its_middle_goes_on_and_touches_each_letter_once(
    house: House, broken: Mended, place: str
) -> None:
    run = freeze(Action.DISCARD)
    bulk_runs.begin(run, "ada")
    with failpoints.armed(place), pytest.raises(FailedHere):
        for _ in range(5):
            bulk_runs.step()
    say_more(house)

    run_all(run)
    house.settle()

    assert (run.asked, run.refused) == (SHOWN, 0)
    assert places() == {"discarded": SHOWN, "skipped": MORE}
    letters = OperatorAction.objects.filter(decision=run.decision, event_id__isnull=False)
    assert letters.count() == len(set(letters.values_list("event_id", flat=True))) == SHOWN


def test_a_discard_is_undone_once(house: House, broken: Mended) -> None:
    run = freeze(Action.DISCARD)
    bulk_runs.begin(run, "ada")
    run_all(run)
    with pytest.raises(RunRefused, match="still under way"):
        bulk_runs.freeze_undo(run, "grace")
    house.settle()
    assert places() == {"discarded": SHOWN}

    forgotten = bulk_runs.freeze_undo(run, "grace")  # and never said yes to
    undo = bulk_runs.freeze_undo(run, "ada")
    with pytest.raises(RunRefused, match="has begun already"):
        bulk_runs.begin(forgotten, "grace")
    bulk_runs.begin(undo, "ada")
    run_all(undo)
    house.settle()

    assert (undo.total, undo.asked) == (SHOWN, SHOWN)
    assert places() == {"skipped": SHOWN}
    with pytest.raises(RunRefused, match="undone already"):
        bulk_runs.freeze_undo(run, "grace")


def test_a_run_begins_once_and_only_for_the_operator_who_saw_its_letters(house: House, broken: Mended) -> None:
    run = freeze(Action.REQUEUE)

    with pytest.raises(RunRefused):
        bulk_runs.begin(run, "grace")
    bulk_runs.begin(run, "ada")
    with pytest.raises(RunRefused):
        bulk_runs.begin(run, "ada")

    assert OperatorAction.objects.filter(selection=run.pk).count() == 1


def test_a_selection_without_a_yes_is_forgotten_after_a_day(house: House, broken: Mended) -> None:
    old = freeze(Action.DISCARD)
    BulkRun.objects.update(shown_at=clock.now() - timedelta(days=1, seconds=1))

    freeze(Action.REQUEUE)

    assert not BulkRun.objects.filter(pk=old.pk).exists()


@pytest.fixture
def parked(house: House) -> Mended:
    """A dead letter that parks its key, and MORE events behind it."""
    broken = Mended("vase", error=Permanent("poison"))
    house.handler(call=broken)
    house.say(("vase", 0))
    say_more(house)
    return broken


def freeze_with_parked() -> BulkRun:
    found = cause()
    return bulk_runs.freeze(found, Action.DISCARD, bulk_runs.shown_ids(found.cause), "ada", with_parked=True)


def test_a_discard_with_parked_events_knows_their_number(house: House, parked: Mended) -> None:
    run = freeze_with_parked()
    say_more(house)  # behind them, and not in the selection
    assert (run.total, run.parked) == (1, MORE)

    bulk_runs.begin(run, "ada")
    run_all(run)
    house.settle()

    assert OperatorAction.objects.get(selection=run.pk).count == 1 + MORE
    assert places()["discarded"] == 1 + MORE


def test_a_discard_asks_again_if_the_number_of_parked_events_has_changed(house: House, parked: Mended) -> None:
    run = freeze_with_parked()
    [letter] = DeadLetter.objects.all()
    parked.names.clear()
    dead_letters.decide([letter.pk], DeadLetter.Request.REQUEUE, "grace")
    house.settle()  # the key went on

    with pytest.raises(RunRefused, match="has changed"):
        bulk_runs.begin(run, "ada")

    run.refresh_from_db()
    assert (run.state, run.parked) == ("frozen", 0)
    assert not OperatorAction.objects.filter(selection=run.pk).exists()
