"""Pauses a group of the house, counts what it shall skip and says yes, for tests."""

from typing import Any

from eventbus import registry
from eventbus.models import BulkRun, ConsumerGroup
from eventbus.operations import pausing
from eventbus.repairs.skipping import SkipFilter
from eventbus.selections import skips
from tests.eventbus.bus_app import House

FAR = 1_000_000  # an offset beyond all that a test publishes


def row(group: str = "house-a") -> ConsumerGroup:
    return ConsumerGroup.objects.get(name=group)


def paused_with(house: House, *notes: tuple[str, int]) -> None:
    """Pause the group, and let these events wait for it in the log."""
    pausing.pause(row(), "ada")
    house.say(*notes)
    house.settle()


def resumed(house: House) -> None:
    pausing.resume(row(), "ada")
    house.settle()


def frozen(group: str = "house-a", **limits: Any) -> BulkRun:
    limits = limits or {"offset": FAR}
    return skips.freeze(SkipFilter(group=registry.groups[group], **limits), "ada")


def skipped(**limits: Any) -> BulkRun:
    run = frozen(**limits)
    skips.begin(run, "ada")
    return run
