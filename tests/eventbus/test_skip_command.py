"""`eventbus skip`, as an operator types it."""

import json

import pytest

from eventbus.models import BulkRun, OperatorAction
from tests.eventbus.bus_app import House
from tests.eventbus.busy_site import many, places
from tests.eventbus.skip_steps import paused_with, resumed
from tests.eventbus.test_commands import run

MANY = 4


@pytest.fixture
def waiting(house: House) -> House:
    """The group is paused, and so many events of one key wait for it."""
    house.handler()
    paused_with(house, *many("vase", MANY))
    OperatorAction.objects.all().delete()
    return house


def skip(*arguments: str) -> tuple[int, str, str]:
    return run("eventbus", "skip", "house-a", *arguments)


def test_a_dry_run_counts_and_writes_nothing(waiting: House) -> None:
    code, said, _ = skip("--to-offset", "3", "--dry-run")

    assert (code, "to skip: 3 events" in said) == (0, True)
    assert (waiting.dead(), BulkRun.objects.count(), OperatorAction.objects.count()) == ([], 0, 0)
    resumed(waiting)
    assert places() == {"handled": MANY}


def test_what_was_counted_is_skipped_and_undone(waiting: House) -> None:
    code, said, complaint = skip("--to-offset", "3", "--expect", "3", "--json")
    assert (code, complaint) == (0, "")
    told = json.loads(said)
    assert (told["events"], [one["events"] for one in told["partitions"]]) == (3, [3])
    resumed(waiting)
    assert waiting.seen(name="vase") == [4]

    assert run("eventbus", "undo", "--decision", str(told["decision"]))[0] == 0
    waiting.settle()

    assert waiting.seen(name="vase") == [4, 1, 2, 3]
    assert places() == {"handled": MANY}


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "Say where it shall go on"),
        (["--to-offset", "3", "--to-time", "2126-01-01T00:00:00Z"], "Say where it shall go on"),
        (["--to-offset", "3", "--partition", "garden/0"], "does not read garden"),
    ],
)
def test_a_wrong_line_is_explained(waiting: House, arguments: list[str], text: str) -> None:
    code, _, complaint = skip(*arguments)

    assert (code, text in complaint) == (2, True)
